// Speaks MCP to URL with @modelcontextprotocol/sdk: list | call TOOL JSON | session TOOL JSON (list, call, list).
// TRANSPORT=sse is the one of 2024-11-05: answers come on a stream opened before. Prints one JSON line.
import { createRequire } from "node:module";

// The packages lie apart from this file; NODE_PATH is for require alone.
const require = createRequire(import.meta.url);
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");

async function listed(client) {
  const names = [];
  let cursor;
  do {
    const page = await client.listTools(cursor === undefined ? {} : { cursor });
    names.push(...page.tools.map((tool) => tool.name));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return names;
}

async function called(client, name, args) {
  const progress = [];
  const times = [];
  try {
    const onprogress = (now) => {
      progress.push(now.progress);
      times.push(performance.now());
    };
    const result = await client.callTool({ name, arguments: args }, undefined, { onprogress });
    const texts = result.content.filter((part) => part.type === "text").map((part) => part.text);
    const spread = times.length ? Math.round(times.at(-1) - times[0]) : 0;
    return { text: texts.join("\n"), failed: result.isError === true, progress, spread_ms: spread };
  } catch (error) {
    return { error: { type: error.constructor.name, code: error.code, message: error.message, data: error.data } };
  }
}

const [command, tool, args] = process.argv.slice(2);
const client = new Client({ name: "creto-test", version: "1.0.0" });
const Transport = process.env.TRANSPORT === "sse" ? SSEClientTransport : StreamableHTTPClientTransport;
const transport = new Transport(new URL(process.env.URL));
const out = {};
try {
  await client.connect(transport);
  if (command !== "call") out.tools = await listed(client);
  if (command !== "list") out.call = await called(client, tool, JSON.parse(args ?? "{}"));
  if (command === "session") out.again = await listed(client);
  out.protocol = transport.protocolVersion;
  await transport.terminateSession?.();
} catch (error) {
  out.error = { type: error.constructor.name, code: error.code, message: error.message };
}
await client.close();
console.log(JSON.stringify(out));
