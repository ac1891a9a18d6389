import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { findViolations, missingChromium, openTab, startBrowser } from "./browser.js";
import { allStates, event, status } from "./statuses.js";
import { type Stub, startStub } from "./stub.js";

/** Each state of the page: what to send, and a text that shows that it is there. */
const states: { readonly [name: string]: readonly [show: (stub: Stub) => unknown, seen: RegExp] } = {
  connecting: [() => {}, /Connecting to the gateway/],
  empty: [stub => stub.send("status", {}), /The gateway has no endpoints/],
  normal: [
    stub => {
      for (let second = 0; second < 12; second++) stub.send("status", status({}, second));
      stub.send("event", event(1, "10.0.1.12:2379 is up again.", { count: 2 }));
    },
    /is up again/,
  ],
  "all endpoint states": [
    stub =>
      stub.send(
        "status",
        status({
          endpoints: allStates,
          identity: { clusterId: "1f", foreign: [{ endpoint: "10.0.1.16:2379", clusterId: "2f" }] },
          tiers: [0, 1].map(priority => ({ priority, endpoints: 4, up: 2, inUse: priority === 0 })),
        }),
      ),
    /marked down by an operator/,
  ],
  failover: [
    stub => {
      const { now } = status({}, 1).gateway;
      const lastFailover = {
        at: now,
        from: "10.0.1.10:2379",
        to: "10.0.1.11:2379",
        reason: "connection refused",
      };
      const panic = { cause: "all-down", since: now, reason: "connection refused" } as const;
      const discovery = [
        { source: "srv example.com", endpoints: 3, failedSince: now, reason: "SERVFAIL", failures: 3 },
      ];
      stub.send("status", status({}, 0));
      stub.send("status", status({ endpoints: allStates, lastFailover, panic, discovery }, 1));
      stub.send("event", event(1, "New connections go to 10.0.1.11:2379 instead of 10.0.1.10:2379."));
    },
    /instead of/,
  ],
  gone: [
    async stub => {
      stub.send("status", status({ endpoints: allStates }));
      await stub.stop();
    },
    /The gateway does not answer since/,
  ],
};

const reason = missingChromium();
describe.skipIf(reason)(`accessibility of the page${reason ? ` (${reason})` : ""}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  async function show(name: string, page: Page, stub: Stub): Promise<void> {
    const [send, seen] = states[name] ?? [];
    await send?.(stub);
    if (seen) await page.getByText(seen).first().waitFor();
    // What is hidden counts as well.
    for (const summary of await page.locator("summary").all()) await summary.click();
  }

  // The narrow one is a phone, or 400 % zoom.
  describe.each([
    { colorScheme: "light", viewport: { width: 1280, height: 900 } },
    { colorScheme: "dark", viewport: { width: 320, height: 640 } },
  ] as const)("in the $colorScheme theme, $viewport.width pixels wide", options => {
    test.each(Object.keys(states))("%s: axe finds nothing", async name => {
      const stub = await startStub();
      onTestFinished(() => stub.stop());
      await using tab = await openTab(browser, stub.url, options);
      await stub.hasStream();
      await show(name, tab.page, stub);
      expect(await findViolations(tab.page)).toEqual([]);
      const width = await tab.page.evaluate(() => document.documentElement.scrollWidth);
      expect(width).toBe(options.viewport.width);
      expect({ errors: tab.errors, foreign: tab.foreign }).toEqual({ errors: [], foreign: [] });
    });
  });
});
