/** Seconds since 1970 (UTC) of a time of day in ISO 8601; undefined if it is none. */
export function timestamp(time: string | undefined): number | undefined {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms / 1_000;
}
