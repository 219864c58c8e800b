// POSTs BODY to URL with undici, its dispatcher reading the proxy variables, on a Node that does not read them itself.
import { createRequire } from "node:module";

// The packages lie apart from this file; NODE_PATH is for require alone.
const { EnvHttpProxyAgent, fetch, setGlobalDispatcher } = createRequire(import.meta.url)("undici");

setGlobalDispatcher(new EnvHttpProxyAgent());
const answer = await fetch(process.env.URL, { method: "POST", body: process.env.BODY });
console.log(JSON.stringify({ status: answer.status, body: await answer.text() }));
