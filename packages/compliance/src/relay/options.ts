/** Options of `relayCompliance`. */
export interface RelayComplianceOptions extends RelaySizeOptions {
  /** The same factory for a process of its own, to test that the relay keeps it alive. @default not tested */
  readonly factory?: RelayFactory | undefined;
  /** Whether it reports clients that wait, which is optional. @default true */
  readonly reportsStalls?: boolean | undefined;
  /** Whether it has `createStock`, which is optional. @default false */
  readonly hasStock?: boolean | undefined;
  /** Whether it listens on paths and file descriptors, which is optional. Not possible on Windows. @default false */
  readonly takesSockets?: boolean | undefined;
}

/** Where to find the function that makes a relay. */
export interface RelayFactory {
  /** The URL of a JavaScript module. */
  readonly module: string;
  /** The name of the export. It is called without arguments. */
  readonly name: string;
}

/** How many connections and bytes the cases use, and how long they wait. */
export interface RelaySizeOptions {
  /** Bytes that flow through one connection in each direction at once. @default 268435456 */
  readonly bulkBytes?: number | undefined;
  /** Connections that are used at once. @default 2000 */
  readonly connections?: number | undefined;
  /** Connections that stay open without traffic; each takes four file descriptors. @default 2000 */
  readonly idleConnections?: number | undefined;
  /** Connections that are opened and closed to find leaked descriptors. @default 5000 */
  readonly turnover?: number | undefined;
  /** A case that waits fails after this time without any event, in milliseconds. @default 20000 */
  readonly limitMs?: number | undefined;
}

/** {@link RelaySizeOptions} with the defaults filled in. */
export type RelaySizes = { readonly [Name in keyof RelaySizeOptions]-?: number };

/** Defaults for {@link RelaySizeOptions}. */
export const relayComplianceDefaults: RelaySizes = {
  bulkBytes: 256 * 1024 * 1024,
  connections: 2_000,
  idleConnections: 2_000,
  turnover: 5_000,
  limitMs: 20_000,
};

export function sizesOf(options: RelaySizeOptions): RelaySizes {
  const given = Object.entries(options).filter(([, size]) => size !== undefined);
  return { ...relayComplianceDefaults, ...Object.fromEntries(given) };
}
