// POSTs BODY to URL with Node's own fetch.
const answer = await fetch(process.env.URL, { method: "POST", body: process.env.BODY });
console.log(JSON.stringify({ status: answer.status, body: await answer.text() }));
