import { existsSync } from "node:fs";
import axe from "axe-core";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";

const executablePath = "/usr/bin/chromium";

/** Whether to skip tests that need Chromium: the reason if it is missing on a user's machine, else false. */
export function missingChromium(): string | false {
  if (existsSync(executablePath)) return false;
  if (process.env["CI"])
    throw new Error(`CI must have every program that the tests need; not installed: chromium`);
  return "not installed: chromium";
}

/** Starts the system's Chromium, with a user data folder of its own that is removed with it. */
export function startBrowser(): Promise<Browser> {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"];
  const quiet = ["--disable-background-networking", "--disable-component-update"];
  return chromium.launch({ executablePath, headless: true, args: [...args, ...quiet] });
}

/** A page in the browser. `await using` closes it, and fails if it had an error or asked another host for anything. */
export interface Tab extends AsyncDisposable {
  readonly page: Page;
  /** Requests to other origins than the page's. */
  readonly foreign: readonly string[];
  /** Errors of scripts and violations of the content security policy. */
  readonly errors: readonly string[];
}

/** Opens `url` in a new context. */
export async function openTab(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Tab> {
  const context: BrowserContext = await browser.newContext({
    locale: "en-GB",
    timezoneId: "UTC",
    ...options,
  });
  // A limit against hanging: the machine may be slow.
  context.setDefaultTimeout(90_000);
  const page = await context.newPage();
  const foreign: string[] = [];
  const errors: string[] = [];
  const { origin } = new URL(url);
  page.on("request", request => {
    if (new URL(request.url()).origin !== origin) foreign.push(request.url());
  });
  page.on("pageerror", error => errors.push(String(error)));
  page.on("console", message => {
    // The browser reports each attempt to reach a gateway that is gone.
    if (message.type() === "error" && !/net::ERR_|Failed to load resource/.test(message.text()))
      errors.push(message.text());
  });
  await page.goto(url);
  return { page, foreign, errors, [Symbol.asyncDispose]: () => context.close() };
}

/** What axe finds, as `rule: element` for each. */
export async function findViolations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await axe.run(document, { runOnly: { type: "tag", values: tags } });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`),
    );
  });
}
