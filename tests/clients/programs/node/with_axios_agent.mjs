// POSTs BODY to URL with axios over https-proxy-agent, as people did while axios spoke plainly to proxies.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const axios = require("axios");
const { HttpsProxyAgent } = await import(require.resolve("https-proxy-agent"));
const proxy = process.env.HTTPS_PROXY;
const answer = await axios.post(process.env.URL, process.env.BODY, {
  headers: { "content-type": "text/plain" },
  responseType: "text",
  transformResponse: (text) => text,
  validateStatus: () => true,
  proxy: false,
  ...(proxy ? { httpsAgent: new HttpsProxyAgent(proxy) } : {}),
});
console.log(JSON.stringify({ status: answer.status, body: answer.data }));
