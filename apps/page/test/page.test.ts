import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { missingChromium, openTab, startBrowser, type Tab } from "./browser.js";
import { event, status } from "./statuses.js";
import { type Stub, startStub } from "./stub.js";

const reason = missingChromium();
describe.skipIf(reason)(`the page in Chromium${reason ? ` (${reason})` : ""}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  /** A stub and a page that shows it. The test fails if the page had an error or asked another host for anything. */
  async function open(first: unknown, options = {}): Promise<{ readonly stub: Stub; readonly page: Page }> {
    const stub = await startStub();
    onTestFinished(() => stub.stop());
    if (first !== undefined) stub.send("status", first);
    const tab: Tab = await openTab(browser, stub.url, options);
    onTestFinished(async () => {
      await tab[Symbol.asyncDispose]();
      expect({ errors: tab.errors, foreign: tab.foreign }).toEqual({ errors: [], foreign: [] });
    });
    if (first !== undefined) await tab.page.getByRole("heading", { name: "Overview" }).waitFor();
    return { stub, page: tab.page };
  }

  test("shows the cluster at a glance", async () => {
    const { page, stub } = await open(status());
    stub.send("event", event(1, "Endpoint 10.0.1.12:2379 is up again."));
    await page.getByText("Endpoint 10.0.1.12:2379 is up again.").waitFor();
    expect(await page.title()).toBe("gw: 3 of 3 up");
    const text = await page.locator("main").textContent();
    expect(text).toContain("Serving clients; 3 of 3 endpoints up.");
    for (const part of [
      "cdf818194e3a8c32",
      "srv example.com",
      "--discovery-srv",
      "10.0.1.11:2379, member 1a2b3c4d5e6f7081",
    ])
      expect(await page.locator("main").textContent()).toContain(part);
    const row = page.getByRole("row", { name: /^10\.0\.1\.10:2379/ });
    expect(await row.textContent()).toContain("in use");
    expect(await page.getByRole("row", { name: /^10\.0\.1\.11:2379/ }).textContent()).toContain("leader");
    expect(await page.getByRole("img").count()).toBe(4);
  });
});
