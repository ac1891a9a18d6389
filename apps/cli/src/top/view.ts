import type { EndpointView, RecordedEvent, Status } from "@gw/admin";
import { wasConnected } from "../admin/was-connected.js";
import { widthOf } from "../output/table.js";
import { type Column, columns } from "./columns.js";
import { age, clean, clock, pad, rate, since } from "./format.js";
import type { Line, Span, Style } from "./line.js";
import type { Rates } from "./rates.js";
import { type Sorting, sorted } from "./sort.js";

/** What is shown. */
export interface Picture {
  readonly status: Status;
  readonly rates: Rates | undefined;
  /** Oldest first. */
  readonly events: readonly RecordedEvent[];
  readonly sorting: Sorting;
}

/** Rows of the table that are kept where events need room as well. */
const minRows = 4;
/** Events that are shown at most. */
const maxEvents = 8;

/** The gateway as a whole. */
export function header({ status, rates }: Picture): readonly Line[] {
  const { gateway, connections, panic, lastFailover, identity } = status;
  const { now } = gateway;
  const listen = gateway.listen.slice(0, 3).map(clean).join(", ");
  const lines: Line[] = [
    [
      bold(`gw ${clean(gateway.version)}`),
      `  up ${since(gateway.startedAt, now)}  `,
      { text: clean(gateway.state), style: status.ready ? "green" : "red" },
      ` on ${listen}`,
      ...(status.ready ? [] : [styled("  not ready: no endpoint is up", "red")]),
    ],
    [
      "in use ",
      bold(status.inUse === undefined ? (wasConnected(status) ? "none" : "none yet") : clean(status.inUse)),
      status.inUseSince === undefined ? "" : ` for ${since(status.inUseSince, now)}`,
      identity.clusterId === undefined ? "" : `  cluster ${clean(identity.clusterId)}`,
      identity.foreign.length === 0
        ? ""
        : styled(`  ${identity.foreign.length} of another cluster`, "yellow"),
    ],
    [
      `connections ${connections.open}`,
      connections.limit === undefined ? "" : ` of ${connections.limit}`,
      rates ? `, ${rates.accepted.toFixed(rates.accepted < 10 ? 1 : 0)} new/s` : "",
      connections.waiting > 0
        ? styled(`, ${connections.waiting} wait for ${age(connections.longestWaitMs)}`, "yellow")
        : "",
      `  from clients ${rate(rates?.fromClients)}, to clients ${rate(rates?.toClients)}`,
    ],
  ];
  if (panic) lines.push([styled(`panic for ${since(panic.since, now)}: ${clean(panic.reason)}`, "red")]);
  if (lastFailover) {
    const { at, from, to, reason } = lastFailover;
    lines.push([`last failover ${since(at, now)} ago: ${clean(from)} -> ${clean(to)}: ${clean(reason)}`]);
  }
  for (const { source, failedSince, reason } of status.discovery.filter(one => one.failedSince).slice(0, 2))
    lines.push([
      styled(
        `${clean(source)} cannot be read for ${since(failedSince ?? "", now)}: ${clean(reason ?? "")}`,
        "yellow",
      ),
    ]);
  return lines;
}

/** The table of endpoints: titles, and at most `rows` of them from the one with index `from`. */
export function endpointTable(
  picture: Picture,
  { width, rows, from }: { readonly width: number; readonly rows: number; readonly from: number },
): readonly Line[] {
  const { status, rates, sorting } = picture;
  const all = sorted(status.endpoints, sorting, rates);
  const shown = all.slice(from, from + rows);
  const cellsOf = (view: EndpointView): readonly string[] =>
    columns.map(column => column.cell(view, status, rates));
  const cells = shown.map(cellsOf);
  const widths = columns.map(({ title, most }, index) =>
    Math.min(most, Math.max(widthOf(title), ...cells.map(row => widthOf(row[index] ?? "")))),
  );
  const kept = fitting(widths, width);
  const row = (texts: readonly string[], style: (column: Column) => Style | undefined): Line =>
    kept.flatMap((index, place): Span[] => {
      const column = columns[index];
      if (!column) return [];
      const text = pad(texts[index] ?? "", widths[index] ?? 0, column.right);
      return [["", " "][place] ?? "  ", styled(text, style(column))];
    });
  const titles = row(
    columns.map(({ title }) => title),
    () => "bold",
  );
  const lines = shown.map((view, index) => row(cells[index] ?? [], column => column.style?.(view)));
  return [titles, ...lines];
}

/** The indices of the columns that fit, without empty ones. The last gets what is left, and is cut. */
function fitting(widths: readonly number[], width: number): readonly number[] {
  let kept = columns.map((_, index) => index);
  const needed = (): number =>
    kept.reduce((sum, index) => {
      const { title = "" } = columns[index] ?? {};
      // A reason is cut rather than left out.
      return sum + (title === "REASON" ? Math.min(12, widths[index] ?? 0) : (widths[index] ?? 0)) + 2;
    }, 0) - 3;
  while (needed() > width) {
    const worst = kept.reduce((one, other) =>
      (columns[other]?.rank ?? 0) > (columns[one]?.rank ?? 0) ? other : one,
    );
    if ((columns[worst]?.rank ?? 0) === 0) break;
    kept = kept.filter(index => index !== worst);
  }
  return kept;
}

/** The newest events, newest last. */
export function eventLines({ events }: Picture, most: number): readonly Line[] {
  if (most <= 0) return [];
  return events.slice(-most).map(({ at, text, count, lastAt, data }) => [
    styled(`${clock(lastAt ?? at)} `, "dim"),
    clean(text),
    // The text of an item for many endpoints has the count.
    count !== undefined && count > 1 && data?.["grouped"] !== true ? styled(` (${count} times)`, "dim") : "",
  ]);
}

/** The screen, and the part of the table that it has. */
export interface Screen {
  readonly lines: readonly Line[];
  /** Index of the first row. */
  readonly start: number;
  /** How many rows there is room for. */
  readonly rows: number;
}

/** The whole screen: exactly `height` lines. `notice` is what is wrong now. */
export function screen(
  picture: Picture,
  size: { readonly width: number; readonly height: number },
  {
    from,
    notice,
    paused,
  }: { readonly from: number; readonly notice: string | undefined; readonly paused: boolean },
): Screen {
  const { endpoints } = picture.status;
  const top: Line[] = [
    ...(notice === undefined ? [] : [[styled(clean(notice), "red")]]),
    ...header(picture),
    [],
  ];
  // Titles and the last line.
  const room = size.height - top.length - 2;
  const eventRoom = Math.max(
    0,
    Math.min(maxEvents, picture.events.length, room - Math.min(minRows, endpoints.length) - 2),
  );
  const rows = Math.max(0, room - (eventRoom > 0 ? eventRoom + 2 : 0));
  const start = Math.min(from, Math.max(0, endpoints.length - rows));
  const table = endpointTable(picture, { width: size.width, rows, from: start });
  const lines: Line[] = [...top, ...table];
  if (eventRoom > 0) lines.push([], [styled("LAST EVENTS", "bold")], ...eventLines(picture, eventRoom));
  while (lines.length < size.height - 1) lines.push([]);
  const end = Math.min(start + rows, endpoints.length);
  const place =
    end - start < endpoints.length ? `  endpoints ${start + 1}-${end} of ${endpoints.length}` : "";
  const { column, reversed } = picture.sorting;
  const footer: Line = [
    styled("? help  q quit", "dim"),
    `  sorted by ${column}${reversed ? ", reversed" : ""}${place}`,
    paused ? styled("  paused", "yellow") : "",
  ];
  return { lines: [...lines.slice(0, size.height - 1), footer].slice(-size.height), start, rows };
}

const help = [
  "o  sort in the order of the gateway     e  by endpoint",
  "s  by state, problems first             c  by connections",
  "w  by waiting clients                   t  by throughput",
  "l  by latency                           r  reverse the order",
  "the same key again reverses the order",
  "",
  "down, j   up, k   page down   page up   home, g   end, G   scroll",
  "space  pause      ?, h  help      q, Ctrl-C  quit      Ctrl-Z  suspend",
  "",
  ">  the endpoint in use. LATENCY is of the newest status request or check.",
  "FROM CL. and TO CL. are bytes per second from and to clients.",
];

/** What `?` shows. */
export function helpScreen(height: number): readonly Line[] {
  const lines: Line[] = [[bold("Keys of gw top")], [], ...help.map(text => [text])];
  const shown = lines.slice(0, Math.max(0, height - 1));
  while (shown.length < height - 1) shown.push([]);
  return [...shown, [styled("any key closes this", "dim")]].slice(-height);
}

function styled(text: string, style: Style | undefined): Span {
  return { text, style };
}

function bold(text: string): Span {
  return styled(text, "bold");
}
