/** Options of `relayCompliance`. */
export interface RelayComplianceOptions extends RelaySizeOptions {
  /** The same factory for a process of its own. Left out, it is not tried whether the relay keeps that alive. */
  readonly factory?: RelayFactory | undefined;
}

/** Where to find a function that makes a relay. */
export interface RelayFactory {
  /** A module as JavaScript: its URL. */
  readonly module: string;
  /** Under which name it exports the function, which is called without arguments. */
  readonly name: string;
}

/** How much is tried, and for how long. */
export interface RelaySizeOptions {
  /** How many bytes flow each way through one connection, at once. @default 268435456 */
  readonly bulkBytes?: number | undefined;
  /** How many connections are used at once. @default 2000 */
  readonly connections?: number | undefined;
  /** How many connections are kept open without traffic; each takes four file descriptors. @default 2000 */
  readonly idleConnections?: number | undefined;
  /** How many connections are opened and closed to see whether descriptors are left over. @default 5000 */
  readonly turnover?: number | undefined;
  /** After how many milliseconds in which nothing happened a case fails that waits for something. @default 20000 */
  readonly limitMs?: number | undefined;
}

/** {@link RelaySizeOptions}, all said. */
export type RelaySizes = { readonly [Name in keyof RelaySizeOptions]-?: number };

/** What holds where {@link RelaySizeOptions} are silent. */
export const relayComplianceDefaults: RelaySizes = {
  bulkBytes: 256 * 1024 * 1024,
  connections: 2_000,
  idleConnections: 2_000,
  turnover: 5_000,
  limitMs: 20_000,
};

export function sizesOf(options: RelaySizeOptions): RelaySizes {
  const said = Object.entries(options).filter(([, size]) => size !== undefined);
  return { ...relayComplianceDefaults, ...Object.fromEntries(said) };
}
