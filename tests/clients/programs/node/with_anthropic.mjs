// The Anthropic SDK, configured by ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
import { createRequire } from "node:module";

import { Arriving, CITY, PROMPT, SYSTEM, model, run } from "./reporting.mjs";

// The packages lie apart from this file; NODE_PATH is for require alone.
const { default: Anthropic } = createRequire(import.meta.url)("@anthropic-ai/sdk");

const client = new Anthropic();
const messages = [{ role: "user", content: PROMPT }];
const tools = [{ name: "get_weather", description: "Weather of a city", input_schema: CITY }];
const mark = { type: "ephemeral" };

const asked = (more) =>
  ({ model: model("claude-sonnet-4-5"), max_tokens: 200, system: SYSTEM, messages, ...more });

const cached = () =>
  asked({
    system: [{ type: "text", text: SYSTEM, cache_control: mark }],
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: PROMPT, cache_control: mark },
          { type: "text", text: "for an hour", cache_control: { type: "ephemeral", ttl: "1h" } },
        ],
      },
    ],
  });

function described(message) {
  const text = message.content.filter((part) => part.type === "text").map((part) => part.text).join("");
  const call = message.content.find((part) => part.type === "tool_use");
  const tool = call && { name: call.name, arguments: call.input };
  return { text, usage: message.usage, model: message.model, finish: message.stop_reason, tool };
}

async function stream(asked) {
  const events = client.messages.stream(asked);
  let streamed = "";
  const arriving = new Arriving();
  events.on("text", (text) => {
    arriving.came();
    streamed += text;
  });
  return { ...described(await events.finalMessage()), streamed, pauses: arriving.pauses };
}

const search = { tools: [{ type: "web_search_20250305", name: "web_search" }] };
const message = async (asked) => described(await client.messages.create(asked));
await run(
  {
    chat: () => message(asked({})),
    tools: () => message(asked({ tools })),
    cached: () => message(cached()),
    search: () => message(asked(search)),
    stream: () => stream(asked({})),
    "stream-tools": () => stream(asked({ tools })),
    "stream-cached": () => stream(cached()),
    "stream-search": () => stream(asked(search)),
    count: async () => ({
      usage: await client.messages.countTokens({ model: model("claude-sonnet-4-5"), system: SYSTEM, messages }),
    }),
  },
  (error) => ({ status: error.status, code: error.error?.error?.type, message: error.message, body: error.error }),
);
