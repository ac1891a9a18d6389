import { GatewayError } from "@gw/interface";

/** A message of an event stream. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/**
 * Reads an event stream as the HTML standard defines it ("Server-sent events"), without `id` and `retry`. Yields undefined
 * for each piece of text that completes no message, such as a comment that keeps the connection alive.
 *
 * @param maxMessage the longest message in characters
 * @throws {GatewayError} `unhealthy` if a message is longer
 */
export async function* serverSentEvents(
  chunks: AsyncIterable<string>,
  maxMessage: number,
): AsyncGenerator<ServerSentEvent | undefined> {
  let rest: string[] = [];
  let length = 0;
  let event = "";
  let data: string[] = [];
  let afterReturn = false;
  for await (const raw of chunks) {
    // A line ends with CR, LF or both, which may come in two pieces.
    const chunk = afterReturn && raw.startsWith("\n") ? raw.slice(1) : raw;
    if (raw !== "") afterReturn = raw.endsWith("\r");
    length += chunk.length;
    if (length > maxMessage) throw new GatewayError("unhealthy", "a message of the stream is too long");
    const lines = chunk.split(/\r\n|\r|\n/);
    const last = lines.pop() ?? "";
    let complete = false;
    for (const [index, end] of lines.entries()) {
      const line = index === 0 ? rest.join("") + end : end;
      if (line === "") {
        if (data.length > 0) {
          complete = true;
          yield { event: event || "message", data: data.join("\n") };
        }
        event = "";
        data = [];
        length = 0;
        continue;
      }
      const [field, value] = fieldOf(line);
      if (field === "event") event = value;
      else if (field === "data") data.push(value);
    }
    if (lines.length > 0) rest = [];
    rest.push(last);
    length = Math.max(length, last.length);
    if (!complete) yield undefined;
  }
}

/** `name: value`; a comment has no name. */
function fieldOf(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value];
}
