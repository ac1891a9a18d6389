import { type Address, type Endpoint, formatAddress, printable } from "@gw/interface";
import { isoTime } from "../log/lines.js";
import { word } from "../log/text.js";
import { cut } from "../output/bounded.js";
import type { End } from "./ends.js";

/** One connection that has ended. Its texts are made when it is written. */
export interface AccessRecord {
  /** When it ended, in milliseconds since 1970. */
  readonly atMs: number;
  /** Undefined if it was refused. */
  readonly connection: number | undefined;
  /** Undefined if the client had left before its address was read. */
  readonly client: Address | undefined;
  readonly listener: string | undefined;
  /** Undefined if none served it. */
  readonly endpoint: Endpoint | undefined;
  /** How many endpoints were tried. */
  readonly tries: number;
  /** From accept to connected, in milliseconds; undefined if it was not connected. */
  readonly dialMs: number | undefined;
  /** From accept to end, in milliseconds. */
  readonly durationMs: number;
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
  readonly end: End;
  /** The text of an error, in any length. */
  readonly reason: string | undefined;
}

/** The fields of a record in their order; `?` after those that can be absent. */
export const recordFields = [
  "time",
  "connection?",
  "client?",
  "listener?",
  "endpoint?",
  "tries",
  "dialMs?",
  "durationMs",
  "bytesFromClient",
  "bytesFromBackend",
  "end",
  "reason?",
] as const;

/** Makes the line of a record, with its end. */
export type RecordFormat = (record: AccessRecord) => string;

/** Longer reasons are cut, in characters. */
const maxReason = 500;

/**
 * Makes the lines of records. There is one for each connection: they are put together by hand, and a time or name that
 * the last record had too is not made again.
 */
export function recordFormat(format: "json" | "text"): RecordFormat {
  const [text, separator, equals] = format === "json" ? [jsonText, ",", '":'] : [word, " ", "="];
  const key = (name: string): string => `${separator}${format === "json" ? '"' : ""}${name}${equals}`;
  const begin = format === "json" ? '{"time":"' : "";
  const [connection, client, listener, endpoint] = ["connection", "client", "listener", "endpoint"].map(key);
  const [tries, dialMs, durationMs] = ["tries", "dialMs", "durationMs"].map(key);
  const bytes = ["bytesFromClient", "bytesFromBackend"].map(key);
  const [end, reason] = ["end", "reason"].map(key);
  const timeOf = lastResult((ms: number) => isoTime(new Date(ms)));
  const listenerOf = lastResult(text);
  const endpointOf = lastResult((one: Endpoint) => text(formatAddress(one)));
  const [afterTime, last] = format === "json" ? ['"', "}\n"] : ["", "\n"];
  return record => {
    let line = `${begin}${timeOf(record.atMs)}${afterTime}`;
    if (record.connection !== undefined) line += `${connection}${record.connection}`;
    if (record.client) line += `${client}${text(formatAddress(record.client))}`;
    if (record.listener !== undefined) line += `${listener}${listenerOf(record.listener)}`;
    if (record.endpoint) line += `${endpoint}${endpointOf(record.endpoint)}`;
    line += `${tries}${record.tries}`;
    if (record.dialMs !== undefined) line += `${dialMs}${tenths(record.dialMs)}`;
    line += `${durationMs}${tenths(record.durationMs)}`;
    line += `${bytes[0]}${record.bytesFromClient}${bytes[1]}${record.bytesFromBackend}${end}${text(record.end)}`;
    if (record.reason !== undefined) line += `${reason}${text(cut(record.reason, maxReason))}`;
    return line + last;
  };
}

/** Texts that JSON has as they are. */
const plain = /^[ !#-[\]-~]*$/;

function jsonText(text: string): string {
  return plain.test(text) ? `"${text}"` : printable(JSON.stringify(text));
}

/** Milliseconds to a tenth. */
function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** `make`, which is not called again for the argument that it had last. */
function lastResult<Of>(make: (of: Of) => string): (of: Of) => string {
  let last: Of | undefined;
  let result = "";
  return of => {
    if (of !== last) result = make(of);
    last = of;
    return result;
  };
}
