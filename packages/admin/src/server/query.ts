import { formatAddress, parseAddress } from "@gw/interface";

/** A value of a query that is not allowed. Its message names the parameter and what is allowed, never what was given. */
export class QueryError extends Error {
  override readonly name = "QueryError";
}

/** The path and the query of a request target. The path is compared as it is: it is never decoded. */
export function splitTarget(target: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = target.indexOf("?");
  return mark < 0
    ? { path: target, query: new URLSearchParams() }
    : { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

/** A parameter that is on if it is there: `?pretty`, `?pretty=true`. */
export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null || value === "false") return false;
  if (value === "" || value === "true") return true;
  throw new QueryError(`${name} must be true or false`);
}

/** A whole number; `fallback` if it is missing. */
export function wholeNumber(
  query: URLSearchParams,
  name: string,
  range: { readonly least: number; readonly most: number; readonly fallback: number },
): number {
  const value = query.get(name);
  if (value === null) return range.fallback;
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= range.least && number <= range.most) return number;
  throw new QueryError(`${name} must be a whole number from ${range.least} to ${range.most}`);
}

/** An endpoint in its canonical form; undefined if it is missing. */
export function endpointOf(query: URLSearchParams): string | undefined {
  const value = query.get("endpoint");
  if (value === null) return undefined;
  try {
    return formatAddress(parseAddress(value));
  } catch {
    throw new QueryError("endpoint must be host:port or [IPv6]:port");
  }
}
