// Signs in and denies, in a browser that runs no scripts.
import { open, password, url } from "./browser.mjs";

const seen = {};
const context = await open({ javaScriptEnabled: false });
const page = context.pages()[0] ?? (await context.newPage());
await page.goto(url);
await page.getByLabel("Name", { exact: true }).fill("bob");
await page.getByLabel("Password").fill(password);
await page.getByRole("button", { name: "Sign in" }).click();
await page.waitForURL(url + "/");
seen.left = await page.textContent(".left");
await page.locator("a.what").first().click();
await page.waitForURL(/\/approvals\/[0-9a-f]{32}$/);
await page.getByLabel("Not expected now").check();
await page.getByLabel("In your words").fill("no invoice 7 is known");
await page.getByRole("button", { name: "Deny", exact: true }).click();
await page.waitForSelector(".state.denied");

await page.getByRole("link", { name: "Inbox" }).click();
await page.waitForSelector("input[name=id]");
for (const box of await page.locator("input[name=id]").all()) await box.check();
await page.getByRole("button", { name: "Review those checked" }).click();
await page.waitForURL(/\/review/);
await page.getByRole("button", { name: "Deny each" }).click();
seen.outcome = (await page.textContent("h1")).trim();
console.log(JSON.stringify(seen));
await context.close();
