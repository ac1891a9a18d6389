import { isatty } from "node:tty";
import { aborted, sleep, systemClock } from "@gw/interface";
import { type AdminClient, createAdminClient } from "../admin/client.js";
import type { AdminAddress } from "../flags/admin.js";
import { printLines, stdoutClosed } from "../output/stdio.js";
import { stopSignals } from "../process/stop-signals.js";
import { type Followed, follow } from "./follow.js";
import { age, clean } from "./format.js";
import { type Controls, keysIn, pressed } from "./keys.js";
import { type Line, lineText } from "./line.js";
import { ratesBetween } from "./rates.js";
import { openTerminal } from "./terminal.js";
import { endpointTable, eventLines, header, helpScreen, type Picture, type Screen, screen } from "./view.js";

/** Width and rows where there is no terminal; more endpoints are counted only. */
const [plainWidth, plainRows] = [200, 1_000] as const;
/** Events that are printed where there is no terminal. */
const plainEvents = 5;
/** How often the time since which a gateway is gone is drawn, in milliseconds. */
const tickMs = 1_000;

/** Options of {@link top}. */
export interface TopOptions {
  readonly adminAddr?: AdminAddress;
  readonly intervalMs: number;
}

/** `gw top`. @throws {GatewayError} if the gateway does not answer at first */
export async function top({ adminAddr, intervalMs }: TopOptions): Promise<void> {
  const client = createAdminClient(adminAddr);
  const stop = stopSignals({ hangup: true }).drain;
  if (!isatty(1) || process.env["TERM"] === "dumb") return printOnce(client, intervalMs, stop);
  // Errors of the first answer are those of the command; those of later ones are shown.
  await Promise.race([client.status({ signal: stop }), aborted(stop)]).catch(error => {
    if (!stop.aborted) throw error;
  });
  if (!stop.aborted) await watch(client, intervalMs, AbortSignal.any([stop, stdoutClosed]));
}

/** One measurement as text. */
async function printOnce(client: AdminClient, intervalMs: number, signal: AbortSignal): Promise<void> {
  try {
    const before = await client.status({ signal });
    await sleep(intervalMs, systemClock, signal);
    const [status, { events }] = await Promise.all([client.status({ signal }), client.events({ signal })]);
    const sorting = { column: "order", reversed: false } as const;
    const picture: Picture = { status, events, sorting, rates: ratesBetween(before, status) };
    const more = status.endpoints.length - plainRows;
    const lines: readonly Line[] = [
      ...header(picture),
      [],
      ...endpointTable(picture, { width: plainWidth, rows: plainRows, from: 0 }),
      ...(more > 0 ? [[`and ${more} more endpoints`]] : []),
      ...(events.length > 0 ? [[], ["LAST EVENTS"]] : []),
      ...eventLines(picture, plainEvents),
    ];
    printLines(lines.map(line => lineText(line, plainWidth, false)));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The same at a terminal, until a key or `stop` ends it. */
async function watch(client: AdminClient, intervalMs: number, stop: AbortSignal): Promise<void> {
  const quit = new AbortController();
  const signal = AbortSignal.any([stop, quit.signal]);
  const colours = (process.env["NO_COLOR"] ?? "") === "";
  let known: Followed = { status: undefined, rates: undefined, events: [], gone: undefined };
  let shown = known;
  let controls: Controls = {
    sorting: { column: "order", reversed: false },
    from: 0,
    help: false,
    paused: false,
  };
  let page = 1;
  const draw = (): void => {
    if (!controls.paused) shown = known;
    const { width, height } = terminal;
    const now = shownNow(shown, controls, { width, height }, client.name);
    page = now.rows;
    const lines = controls.help ? helpScreen(height) : now.lines;
    terminal.draw(lines.map(line => lineText(line, width, colours)));
  };
  const onKey = (key: string): void => {
    const endpoints = shown.status?.endpoints.length ?? 0;
    const next = pressed(key, controls, { page, last: endpoints - 1 });
    if (next === "quit") quit.abort();
    else if (next === "suspend") terminal.suspend();
    else controls = next;
  };
  let ready = false;
  const terminal = openTerminal({
    onInput(text) {
      for (const key of keysIn(text)) onKey(key);
      if (!signal.aborted) draw();
    },
    onRedraw: () => ready && draw(),
    onEnd: () => quit.abort(),
  });
  ready = true;
  const ticks = setInterval(() => known.gone && draw(), tickMs);
  try {
    draw();
    await follow(client, { intervalMs, signal }, followed => {
      known = followed;
      if (!signal.aborted) draw();
    });
  } finally {
    clearInterval(ticks);
    terminal.close();
  }
}

function shownNow(
  { status, rates, events, gone }: Followed,
  { sorting, from, paused }: Controls,
  size: { readonly width: number; readonly height: number },
  name: string,
): Screen {
  const notice =
    gone && `gateway gone for ${age(performance.now() - gone.since)}, connecting again: ${gone.reason}`;
  if (status) return screen({ status, rates, events, sorting }, size, { from, notice, paused });
  return { lines: [[clean(notice ?? `waiting for the gateway on ${name}`)]], start: 0, rows: 1 };
}
