// Signs in, looks at every page, and approves one request: with keys only.
import { open, password, url } from "./browser.mjs";

const seen = { title: "run nothing", violations: [], elsewhere: [], unlabelled: [], sideways: [], faint: [] };
const context = await open({});
const page = context.pages()[0] ?? (await context.newPage());
page.on("console", (message) => {
  if (/Content.Security.Policy|Refused to/i.test(message.text())) seen.violations.push(message.text());
});
page.on("pageerror", (error) => seen.violations.push(String(error)));
page.on("request", (request) => {
  if (!request.url().startsWith(url) && !request.url().startsWith("data:")) seen.elsewhere.push(request.url());
});

// What a control is called, what does not fit, and what is hard to read (WCAG: 4.5 to 1, large text 3 to 1).
async function look(name) {
  const found = await page.evaluate(() => {
    const controls = document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a");
    const unlabelled = [...controls].filter((one) => {
      const label = one.labels?.[0]?.textContent || one.getAttribute("aria-label") || one.textContent;
      return !label?.trim();
    });
    const channel = (value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const parse = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = (one) => {
      for (let at = one; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] > 0) return colour;
      }
      return [255, 255, 255];
    };
    const faint = [];
    for (const one of document.body.querySelectorAll("*")) {
      const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      if (!text || one.closest("script, .skip, option") || one.getClientRects().length === 0) continue;
      const style = getComputedStyle(one);
      const [light, dark] = [luminance(parse(style.color)), luminance(behind(one))].sort((a, b) => b - a);
      const ratio = (light + 0.05) / (dark + 0.05);
      const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
      if (ratio < (large ? 3 : 4.5)) faint.push(`${one.tagName}.${one.className} ${ratio.toFixed(2)}: ${one.textContent.trim().slice(0, 30)}`);
    }
    return {
      unlabelled: unlabelled.map((one) => one.outerHTML.slice(0, 120)),
      wide: document.documentElement.scrollWidth > innerWidth ? [`${document.documentElement.scrollWidth} in ${innerWidth}`] : [],
      faint,
    };
  });
  if ((await page.title()) === "run") seen.title = "run";
  seen.unlabelled.push(...found.unlabelled.map((one) => `${name}: ${one}`));
  seen.sideways.push(...found.wide.map((one) => `${name}: ${one}`));
  seen.faint.push(...found.faint.map((one) => `${name}: ${one}`));
}

async function photograph(name) {
  for (const scheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
      await look(`${name} ${scheme} ${width}`);
      await page.screenshot({ path: `${process.env.PICTURES}/${name}-${width}-${scheme}.png`, fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 900 });
}

const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
// Presses Tab until something is reached; what cannot be reached is a failure.
async function tabTo(what) {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((what) => document.activeElement?.matches(what), what)) return;
  }
  throw new Error(`Tab does not lead to ${what}`);
}

await page.goto(url);
await photograph("sign-in");
await page.keyboard.type("bob");
await page.keyboard.press("Tab");
await page.keyboard.type(password);
await page.keyboard.press("Enter");
await page.waitForURL(url + "/");
await photograph("inbox");

await page.keyboard.press("?");
seen.help = await page.evaluate(() => document.getElementById("keys").open);
await page.keyboard.press("?");
await page.keyboard.press("j");
await page.keyboard.press("j");
await page.keyboard.press("k");
const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
if (outline === "none") throw new Error("where the keyboard is cannot be seen");
await page.keyboard.press("x");
seen.checked = await page.evaluate(() => document.querySelectorAll("input:checked").length);
await page.keyboard.press("x");
await page.keyboard.press("Enter");
await page.waitForURL(/\/approvals\/[0-9a-f]{32}$/);
await photograph("request");
await page.keyboard.press("d");
if ((await focused()) !== "Deny") throw new Error(`d leads to ${await focused()}`);
await page.goBack();
await page.waitForURL(url + "/");
await page.keyboard.press("j");
await page.keyboard.press("a");
await page.waitForURL(/#approve$/);
await page.waitForFunction(() => document.activeElement?.textContent.trim() === "Approve");
// Every control is reached by Tab alone, too.
await tabTo("#deny button");
await page.keyboard.press("a");
await page.keyboard.press("Enter");
await page.waitForURL(/\/approvals\/[0-9a-f]{32}$/);
await page.waitForSelector(".state.approved");
await photograph("approved");

await page.keyboard.press("u");
await page.waitForURL(url + "/");
for (const box of await page.$$("input[name=id]")) await box.check();
await tabTo("form[action='/review'] button");
await page.keyboard.press("Enter");
await page.waitForURL(/\/review/);
await photograph("review");
await page.goto(url + "/insights");
await photograph("insights");
await page.goto(url + "/");
const before = await page.textContent(".left");
await page.waitForFunction((before) => document.querySelector(".left").textContent !== before, before);
await page.waitForResponse((response) => response.url() === url + "/waiting" && response.status() === 200);
seen.count = (await page.textContent(".count")).trim();
console.log(JSON.stringify(seen));
await context.close();
