// The OpenAI SDK, configured by OPENAI_BASE_URL and OPENAI_API_KEY.
import { createRequire } from "node:module";

import { Arriving, CITY, PROMPT, SYSTEM, model, run } from "./reporting.mjs";

// The packages lie apart from this file; NODE_PATH is for require alone.
const { default: OpenAI } = createRequire(import.meta.url)("openai");

const client = new OpenAI();
const messages = [{ role: "system", content: SYSTEM }, { role: "user", content: PROMPT }];
const tool = { name: "get_weather", parameters: CITY };
const tools = [{ type: "function", function: tool }];

async function chat(more) {
  const answer = await client.chat.completions.create({ model: model("gpt-4o"), messages, ...more });
  const { message, finish_reason: finish } = answer.choices[0];
  const call = message.tool_calls?.[0]?.function;
  return { text: message.content, usage: answer.usage, model: answer.model, finish, tool: call };
}

async function stream(more) {
  const found = { text: "", usages: 0, events: 0 };
  const arriving = new Arriving();
  const chunks = await client.chat.completions.create({ model: model("gpt-4o"), messages, stream: true, ...more });
  for await (const chunk of chunks) {
    arriving.came();
    found.events += 1;
    if (chunk.usage) {
      found.usage = chunk.usage;
      found.usages += 1;
    }
    for (const choice of chunk.choices) {
      found.text += choice.delta.content ?? "";
      for (const call of choice.delta.tool_calls ?? []) {
        found.tool ??= { name: call.function.name, arguments: "" };
        found.tool.arguments += call.function.arguments ?? "";
      }
    }
  }
  return { ...found, pauses: arriving.pauses };
}

const asked = (more) => ({ model: model("gpt-5-mini"), instructions: SYSTEM, input: PROMPT, ...more });

function described(answer) {
  const call = answer.output.find((item) => item.type === "function_call");
  const found = call && { name: call.name, arguments: call.arguments };
  return { text: answer.output_text, usage: answer.usage, model: answer.model, finish: answer.status, tool: found };
}

async function responsesStream(more) {
  const events = client.responses.stream(asked(more));
  const arriving = new Arriving();
  let count = 0;
  for await (const _ of events) {
    arriving.came();
    count += 1;
  }
  return { ...described(await events.finalResponse()), events: count, pauses: arriving.pauses };
}

async function embeddings() {
  const input = [PROMPT, SYSTEM];
  const answer = await client.embeddings.create({ model: model("text-embedding-3-small"), input });
  return { vectors: answer.data.map((item) => [...item.embedding]), usage: answer.usage, model: answer.model };
}

const responseTools = { tools: [{ type: "function", strict: false, ...tool }] };
await run(
  {
    chat: () => chat({}),
    tools: () => chat({ tools }),
    stream: () => stream({}),
    "stream-usage": () => stream({ stream_options: { include_usage: true } }),
    "stream-tools": () => stream({ tools, stream_options: { include_usage: true } }),
    responses: async () => described(await client.responses.create(asked({}))),
    "responses-tools": async () => described(await client.responses.create(asked(responseTools))),
    "responses-stream": () => responsesStream({}),
    "responses-stream-tools": () => responsesStream(responseTools),
    embeddings,
  },
  (error) => ({ status: error.status, code: error.code, type: error.type, message: error.message, body: error.error }),
);
