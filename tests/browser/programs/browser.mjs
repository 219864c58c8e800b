// Chromium, with nothing of its own that reaches for the network.
const { chromium } = await import(process.env.PLAYWRIGHT);

export const url = process.env.PAGE_URL;
export const password = process.env.PASSWORD;

export async function open(options) {
  const context = await chromium.launchPersistentContext(process.env.PROFILE, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-sync",
      "--no-first-run",
      "--no-default-browser-check",
      "--disable-component-update",
      "--disable-dev-shm-usage",
    ],
    viewport: { width: 1280, height: 900 },
    ...options,
  });
  context.setDefaultTimeout(20_000);
  return context;
}
