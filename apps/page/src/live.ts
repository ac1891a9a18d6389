/** How the page is connected to the gateway. */
export type Link =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  /** `since` is of `performance.now()`: when the gateway was heard last, or when the page first tried. */
  | { readonly state: "gone"; readonly since: number };

export interface LiveOptions {
  readonly url: string;
  /** Called with the data of each message, which is not validated yet. */
  readonly onStatus: (data: unknown) => void;
  readonly onEvent: (data: unknown) => void;
  readonly onLink: (link: Link) => void;
}

/** Time between attempts: the first is soon, as a gateway that is replaced is back at once. The last one repeats. */
const retryMs = [250, 500, 1_000, 2_000, 5_000];

/** The gateway sends a status each second. When none arrives for this long, the connection is given up. */
const silenceMs = 5_000;

/**
 * Reads the gateway's stream for as long as the page is open. It connects again by itself: browsers' own reconnects have
 * a delay that they choose, and do not notice a connection that is open and silent.
 */
export function connectLive({ url, onStatus, onEvent, onLink }: LiveOptions): void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let heard = performance.now();
  let attempts = 0;

  const open = (): void => {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(url);
    source.addEventListener("status", message => {
      const data = parse(message);
      if (data === undefined) return;
      heard = performance.now();
      attempts = 0;
      watch();
      onLink({ state: "live" });
      onStatus(data);
    });
    source.addEventListener("event", message => {
      const data = parse(message);
      if (data !== undefined) onEvent(data);
    });
    source.addEventListener("error", lost);
    watch();
  };
  const watch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(lost, silenceMs);
  };
  const lost = (): void => {
    source?.close();
    source = undefined;
    clearTimeout(timer);
    onLink({ state: "gone", since: heard });
    timer = setTimeout(open, retryMs[Math.min(attempts++, retryMs.length - 1)]);
  };
  const retryNow = (): void => {
    if (!source && document.visibilityState === "visible") open();
  };

  addEventListener("online", retryNow);
  document.addEventListener("visibilitychange", retryNow);
  // Else the next page waits for the connection of this one in some browsers.
  addEventListener("pagehide", () => {
    source?.close();
    source = undefined;
    clearTimeout(timer);
  });
  addEventListener("pageshow", event => {
    if (event.persisted) open();
  });
  open();
}

/** The data of a message; undefined if it is not JSON. */
function parse({ data }: MessageEvent): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
