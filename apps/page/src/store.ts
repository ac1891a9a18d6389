import type { RecordedEvent, Status } from "@gw/admin";
import { connectLive, type Link } from "./live.js";
import { announceEveryMs, news } from "./model/announce.js";
import { addEvent, readEvent } from "./model/events.js";
import { createHistory, type History } from "./model/history.js";
import { readStatus } from "./model/read-status.js";

/** All that the page shows. */
export interface Shown {
  readonly link: Link;
  /** The newest; absent until the first one. */
  readonly status: Status | undefined;
  /** Oldest first. */
  readonly events: readonly RecordedEvent[];
  readonly history: Pick<History, "samples" | "since" | "rates">;
  /** The time of the gateway's clock, in milliseconds since 1970. */
  readonly now: number;
  /** For screen readers. */
  readonly announcement: string;
}

/** Follows the gateway, and calls `onChange` with what to show: after each change, and each second. */
export function followGateway(url: string, onChange: (shown: Shown) => void): void {
  let link: Link = { state: "connecting" };
  let status: Status | undefined;
  let events: readonly RecordedEvent[] = [];
  const history = createHistory();
  /** What to add to `performance.now()` for the gateway's clock. */
  let clock = Date.now() - performance.now();
  let announcement = "";
  let nextAnnouncement = "";
  let announcedAt = Number.NEGATIVE_INFINITY;
  let scheduled = false;

  const show = (): void => {
    // Of a page in the background nothing is drawn; its title is seen.
    document.title = title(link, status);
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      onChange({ link, status, events, history, now: clock + performance.now(), announcement });
    });
  };
  const announce = (text: string): void => {
    nextAnnouncement = text;
    announceNext();
  };
  const announceNext = (): void => {
    if (nextAnnouncement === "" || performance.now() - announcedAt < announceEveryMs) return;
    announcement = nextAnnouncement;
    nextAnnouncement = "";
    announcedAt = performance.now();
  };

  setInterval(() => {
    announceNext();
    show();
  }, 1_000);
  connectLive({
    url,
    onLink(next) {
      if (link.state === next.state) return;
      if (next.state === "gone") announce("The gateway does not answer.");
      else if (link.state === "gone") announce("The gateway answers again.");
      link = next;
      show();
    },
    onStatus(data) {
      const next = readStatus(data);
      if (status && next.gateway.version !== status.gateway.version) reloadOnce(next.gateway.version);
      if (status && next.gateway.startedAt !== status.gateway.startedAt) {
        // Another process: it counts events from one, and knows nothing of those before.
        events = [];
        announce("The gateway has restarted.");
      } else {
        const text = news(status, next);
        if (text) announce(text);
      }
      const now = Date.parse(next.gateway.now);
      if (!Number.isNaN(now)) clock = now - performance.now();
      history.add(next);
      status = next;
      show();
    },
    onEvent(data) {
      const event = readEvent(data);
      if (!event) return;
      events = addEvent(events, event);
      show();
    },
  });
  show();
}

function title(link: Link, status: Status | undefined): string {
  if (link.state === "gone") return "gw: no answer";
  if (!status) return "gw";
  const members = status.endpoints.filter(({ state }) => state !== "draining" && state !== "foreign");
  const up = members.filter(({ state }) => state === "up").length;
  return `gw: ${up} of ${members.length} up`;
}

/** Loads the page of a gateway of another version; once for each, in case the page does not change. */
function reloadOnce(version: string): void {
  const key = "gw-reloaded-for";
  try {
    if (sessionStorage.getItem(key) === version) return;
    sessionStorage.setItem(key, version);
  } catch {
    // Without storage it could not be once.
    return;
  }
  location.reload();
}
