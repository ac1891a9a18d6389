import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { RecordedEvent } from "@gw/admin";
import { type EtcdCluster, type Gw, missing, startEtcd, startGw } from "@gw/testing";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { findViolations, missingChromium, openTab, startBrowser } from "./browser.js";
import { startLoad } from "./load.js";

const images = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
const names = ["page-light", "page-dark", "page-failover"].map(name => `${images}${name}.png`);
/** The README's screenshots are made if they are missing, or with `GW_SCREENSHOTS=1`: no run changes them by itself. */
const takesScreenshots = process.env["GW_SCREENSHOTS"] === "1" || !names.every(existsSync);
/** How many seconds of charts they show. */
const chartSeconds = 50;

/** How soon the page shows what the gateway has decided, in milliseconds. */
const shownWithinMs = 2_000;

async function startWithAdmin(
  cluster: EtcdCluster,
  ...flags: readonly string[]
): Promise<{ readonly gw: Gw; readonly admin: string }> {
  const gw = await startGw([`--endpoints=${cluster.endpoints}`, "--log-level=info", ...flags]);
  const { address } = await gw.logged(/^admin server ready$/);
  return { gw, admin: String(address) };
}

/** The endpoint that the page shows as in use. */
async function inUse(page: Page): Promise<string> {
  const row = page.locator("table.endpoints tr", { has: page.getByText("in use", { exact: true }) });
  return (await row.locator(".address").first().textContent()) ?? "";
}

/** Notes in the page when it shows for the first time that `endpoint` is down. */
async function noteWhenDown(page: Page, endpoint: string): Promise<void> {
  await page.evaluate(name => {
    const look = (): void => {
      const down = [...document.querySelectorAll("table.endpoints tr.state-down .address")];
      if (!down.some(address => address.textContent === name)) return;
      observer.disconnect();
      Object.assign(globalThis, { downSeenAt: Date.now() });
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  }, endpoint);
}

async function screenshot(page: Page, index: number): Promise<void> {
  if (!takesScreenshots) return;
  await mkdir(images, { recursive: true });
  await page.screenshot({ path: names[index] ?? "" });
}

const reason = missingChromium() || missing("etcd", "etcdctl");
describe.skipIf(reason)(`the page of a gateway in front of etcd${reason ? ` (${reason})` : ""}`, () => {
  test("shows its members, a member that is killed, and a gateway that is killed", async () => {
    await using cluster = await startEtcd();
    const { gw, admin } = await startWithAdmin(cluster, "--admin-addr=127.0.0.1:0");
    await using _ = gw;
    await using _load = startLoad(gw.port);
    await using browser = await startedBrowser();
    await using tab = await openTab(browser.instance, `http://${admin}/`, {
      colorScheme: "light",
      viewport: { width: 1280, height: 1_180 },
    });
    const { page } = tab;

    await page.getByText(/3 of 3 endpoints up/).waitFor();
    for (const { endpoint } of cluster.members)
      expect(await page.locator("table.endpoints .address", { hasText: endpoint }).count()).toBe(1);
    await page.locator("table.endpoints .badge.leader").waitFor();
    await expect.poll(() => inUse(page)).not.toBe("");
    await expect.poll(() => page.locator("main").textContent()).toMatch(/Cluster ID[0-9a-f]{8,16}Leader127/);
    expect(await findViolations(page)).toEqual([]);

    if (takesScreenshots) {
      await page.waitForTimeout(chartSeconds * 1_000);
      await screenshot(page, 0);
      await page.emulateMedia({ colorScheme: "dark" });
      await page.waitForTimeout(1_500);
      await screenshot(page, 1);
      await page.emulateMedia({ colorScheme: "light" });
    }

    const killed = cluster.member(await inUse(page));
    await noteWhenDown(page, killed.endpoint);
    const killedAt = Date.now();
    await killed.crash();
    await page.locator("table.endpoints tr.state-down", { hasText: killed.endpoint }).waitFor();
    await page
      .getByText(new RegExp(`instead of ${killed.endpoint}`))
      .first()
      .waitFor();
    const seenAt = await page.evaluate(() => (globalThis as unknown as { downSeenAt: number }).downSeenAt);
    const answer = await fetch(`http://${admin}/events`);
    const { events } = (await answer.json()) as { readonly events: readonly RecordedEvent[] };
    const decided = events.find(one => one.event === "endpoint down" && one.endpoint === killed.endpoint);
    const decidedAt = Date.parse(decided?.at ?? "");
    console.log(
      `a killed member was marked down after ${decidedAt - killedAt} ms, and on the page after ${seenAt - killedAt} ms`,
    );
    expect(seenAt - decidedAt).toBeLessThan(shownWithinMs);
    await page.getByText(/Failover from/).waitFor({ state: "attached" });
    await screenshot(page, 2);
    expect(await findViolations(page)).toEqual([]);

    await killed.restart();
    gw.kill("SIGKILL");
    await gw.exit;
    await page.getByText(/The gateway does not answer since/).waitFor();
    const learner = await cluster.add({ learner: true });
    const again = await startWithAdmin(cluster, `--admin-addr=${admin}`, `--listen-addr=${gw.address}`);
    await using _again = again.gw;
    await page.getByText("live", { exact: true }).waitFor();
    const learnerRow = page.locator("table.endpoints tr", { hasText: learner.endpoint });
    await learnerRow.locator(".badge.learner").waitFor();
    expect({ errors: tab.errors, foreign: tab.foreign }).toEqual({ errors: [], foreign: [] });
  }, 240_000);
});

async function startedBrowser() {
  const instance = await startBrowser();
  return { instance, [Symbol.asyncDispose]: () => instance.close() };
}
