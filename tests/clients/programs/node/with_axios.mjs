// POSTs BODY to URL with axios as it comes.
import { createRequire } from "node:module";

const axios = createRequire(import.meta.url)("axios");
const answer = await axios.post(process.env.URL, process.env.BODY, {
  headers: { "content-type": "text/plain" },
  responseType: "text",
  transformResponse: (text) => text,
  validateStatus: () => true,
});
console.log(JSON.stringify({ status: answer.status, body: answer.data }));
