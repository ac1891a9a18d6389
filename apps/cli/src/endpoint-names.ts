import { type Address, formatAddress } from "@gw/interface";

/** How many endpoints one line of the log names. */
const mostNamed = 20;

/** `host:port` of each, for a line of the log; of thousands the first 20, and how many more there are. */
export function namesOf<Of extends Address>(
  endpoints: readonly Of[],
  nameOf: (endpoint: Of) => string = formatAddress,
): readonly string[] {
  const names = endpoints.slice(0, mostNamed).map(nameOf);
  const more = endpoints.length - names.length;
  return more > 0 ? [...names, `and ${more} more`] : names;
}
