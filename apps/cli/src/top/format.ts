import { printable } from "@gw/interface";
import { cut } from "../output/bounded.js";
import { widthOf } from "../output/table.js";

/** Longer texts from the network are cut before anything else, in characters. */
const maxText = 400;

/** A text from the network as one line without control characters, of bounded length. */
export function clean(text: string): string {
  return printable(cut(text, maxText));
}

/** As much of a clean text as fits into `width` columns, with `…` at the end where it was cut. */
export function fit(text: string, width: number): string {
  if (width <= 0) return "";
  if (widthOf(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const character of text) {
    const wide = widthOf(character);
    if (used + wide > width - 1) break;
    kept += character;
    used += wide;
  }
  return `${kept}…`;
}

/** The text in exactly `width` columns. */
export function pad(text: string, width: number, right = false): string {
  const short = fit(text, width);
  const blanks = " ".repeat(Math.max(0, width - widthOf(short)));
  return right ? blanks + short : short + blanks;
}

const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `1.2 MB`, by thousands. */
function bytes(count: number): string {
  let value = Math.max(0, count);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0);
  return `${digits} ${units[unit]}`;
}

/** `1.2 MB/s`; `–` where it is not known yet. */
export function rate(perSecond: number | undefined): string {
  return perSecond === undefined ? "–" : `${bytes(perSecond)}/s`;
}

/** A duration in its two largest units, for ages: `4d3h`, `2h5m`, `42s`. */
export function age(ms: number): string {
  if (!Number.isFinite(ms)) return "?";
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days}d${hours}h`;
  if (hours > 0) return `${hours}h${minutes}m`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}

/** How long ago a time was, by the clock of the gateway. */
export function since(iso: string, now: string): string {
  return age(Date.parse(now) - Date.parse(iso));
}

/** The time of day here. */
export function clock(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "?" : date.toTimeString().slice(0, 8);
}

/** A short latency: `0.4ms`, `12ms`, `1.5s`. */
export function latency(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)}s`;
  return ms < 9.95 ? `${ms.toFixed(1)}ms` : `${ms.toFixed(0)}ms`;
}
