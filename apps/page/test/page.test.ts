import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { missingChromium, openTab, startBrowser, type Tab } from "./browser.js";
import { allStates, endpoint, event, status } from "./statuses.js";
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

  test("shows texts as they are, and nothing of a field that is absent", async () => {
    const { page, stub } = await open({
      endpoints: [
        { endpoint: "<img src=x onerror=alert(1)>", state: "up", reason: null },
        null,
        { facts: 7 },
      ],
    });
    stub.sendRaw("status", "{no JSON");
    stub.send("event", event(1, "<script>alert(1)</script>"));
    stub.send("event", "not an event");
    await page.getByText("<script>alert(1)</script>").waitFor();
    expect(await page.getByText("<img src=x onerror=alert(1)>").count()).toBe(1);
    expect(await page.locator("main img, main script").count()).toBe(0);
  });

  test("shows the most important of 10,000 endpoints, and finds the others", async () => {
    const many = Array.from({ length: 10_000 }, (_, index) => ({
      endpoint: `10.1.${index >> 8}.${index & 255}:2379`,
      state: "up",
    }));
    const used = endpoint("10.9.9.9:2379", { inUse: true });
    const { page } = await open({ ...status(), endpoints: [...many, used] });
    const rows = page.locator("table.endpoints tbody tr");
    expect(await rows.count()).toBe(100);
    expect(await rows.first().textContent()).toContain("10.9.9.9:2379");
    await page.getByText("10 k endpoints; the 100 most important are shown.").waitFor();
    await page.getByLabel("Filter").fill("10.1.39.15:");
    await page.getByText("1 of 10 k endpoints match.").waitFor();
    expect(await rows.count()).toBe(1);
    await page.getByLabel("Filter").fill("no such endpoint");
    await page.getByText("0 of 10 k endpoints match.").waitFor();
  });

  test("shows evidence only if asked, and how often an event was repeated", async () => {
    const { page, stub } = await open(status());
    stub.send("event", event(1, "The health check failed.", { event: "health check", count: 3 }));
    stub.send("event", event(2, "An endpoint was marked down."));
    await page.getByText("An endpoint was marked down.").waitFor();
    expect(await page.getByText("The health check failed.").count()).toBe(0);
    await page.getByLabel("Also the evidence").check();
    await page.getByText("The health check failed.").waitFor();
    await page.getByText("3 times").waitFor();
  });

  test("shows the last events, and earlier ones if asked", async () => {
    const { page, stub } = await open(status());
    for (let id = 1; id <= 150; id++) stub.send("event", event(id, `Event ${id}.`));
    await page.getByText("Event 150.").waitFor();
    const shown = page.locator("ol.events li");
    expect(await shown.count()).toBe(6);
    await page.getByRole("button", { name: "Show 94 earlier events" }).click();
    await page.getByText("Event 51.", { exact: true }).waitFor();
    expect(await shown.count()).toBe(100);
    expect(await shown.first().textContent()).toMatch(/Event 150\.$/);
  });

  test("has the values of each chart as a table", async () => {
    const { page, stub } = await open(status());
    for (let second = 1; second <= 11; second++) stub.send("status", status({}, second));
    await page.locator("figure", { hasText: "Throughput" }).locator("summary").click();
    const table = page.getByRole("table", { name: "Throughput, newest first" });
    await expect
      .poll(() => table.getByRole("row").allTextContents())
      .toEqual([
        "Timeto clientsfrom clients",
        expect.stringMatching(/^\d\d:00:11130 kB\/s2 kB\/s$/),
        expect.stringMatching(/^\d\d:00:0610 kB\/s2 kB\/s$/),
        expect.stringMatching(/^\d\d:00:01130 kB\/s2 kB\/s$/),
      ]);
  });

  test("says when the gateway is gone, and comes back by itself", async () => {
    const { page, stub } = await open(status());
    await stub.stop();
    await page.getByText(/The gateway does not answer since \d\d:\d\d:\d\d/).waitFor();
    await expect.poll(() => page.title()).toBe("gw: no answer");
    await expect.poll(() => page.getByRole("status").textContent()).toBe("The gateway does not answer.");
    expect(await page.getByText("10.0.1.10:2379").count()).toBeGreaterThan(0);
    expect(await page.locator("main.stale").count()).toBe(1);
    await stub.start();
    await page.getByText("live", { exact: true }).waitFor();
    expect(await page.locator(".banner").count()).toBe(0);
    expect(await page.locator("main.stale").count()).toBe(0);
  });

  test("gives up a connection on which nothing arrives any more", async () => {
    const { page, stub } = await open(status());
    const again = stub.connected();
    await page.getByText("The gateway does not answer since").waitFor();
    await again;
    // The stub greets with its last status.
    await page.getByText("live", { exact: true }).waitFor();
  });

  test("begins again with the events of a gateway that has restarted", async () => {
    const { page, stub } = await open(status());
    stub.send("event", event(900, "An event of the first run."));
    await page.getByText("An event of the first run.").waitFor();
    stub.send("status", status({ gateway: { ...status().gateway, startedAt: status().gateway.now } }, 9));
    stub.send("event", event(1, "An event of the second run."));
    await page.getByText("An event of the second run.").waitFor();
    expect(await page.getByText("An event of the first run.").count()).toBe(0);
  });

  test("is loaded again, once, when the gateway has another version", async () => {
    const { page, stub } = await open(status());
    await page.evaluate(() => Object.assign(globalThis, { isFirstLoad: true }));
    const other = status({ gateway: { ...status().gateway, version: "1.1.0" } }, 1);
    const again = stub.connected();
    stub.send("status", other);
    await again;
    await page.getByText("1.1.0, Node").waitFor();
    expect(await page.evaluate(() => "isFirstLoad" in globalThis)).toBe(false);
    stub.send("status", status({}, 2));
    await page.getByText("1.0.0, Node").waitFor();
    stub.send("status", status({ gateway: { ...status().gateway, version: "1.1.0" } }, 3));
    await page.getByText("1.1.0, Node").waitFor();
  });

  test("announces a failover to screen readers", async () => {
    const { page, stub } = await open(status());
    const at = status({}, 1).gateway.now;
    stub.send("status", status({ lastFailover: { at, from: "a:1", to: "b:1", reason: "refused" } }, 1));
    await expect.poll(() => page.getByRole("status").textContent()).toBe("Failover from a:1 to b:1.");
  });

  test("is usable by keyboard", async () => {
    const { page } = await open(status({ endpoints: allStates }));
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    expect(await focused()).toBe("Skip to the overview");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
    const seen: string[] = [];
    for (let presses = 0; presses < 20; presses++) {
      await page.keyboard.press("Tab");
      seen.push(
        await page.evaluate(() => {
          const { activeElement: element } = document;
          const visible = element && getComputedStyle(element).outlineStyle !== "none";
          return `${element?.tagName} ${visible}`;
        }),
      );
    }
    expect(new Set(seen.slice(0, 8))).toEqual(new Set(["INPUT true", "SUMMARY true"]));
    await page.getByLabel("Also the evidence").focus();
    await page.keyboard.press("Space");
    expect(await page.getByLabel("Also the evidence").isChecked()).toBe(true);
  });

  test("moves its charts slowly where motion is to be reduced", async () => {
    const { page, stub } = await open(status(), { reducedMotion: "reduce" });
    for (let second = 1; second <= 3; second++) stub.send("status", status({}, second));
    await page.getByText("15", { exact: true }).first().waitFor();
    const animated = await page.evaluate(() => document.getAnimations().length);
    expect(animated).toBe(0);
  });
});
