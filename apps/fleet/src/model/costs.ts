/**
 * What requests cost, in milliseconds of CPU of all members together. Measured: etcd 3.4.23, three members on two shared
 * cores, one request after the other, spread evenly over the members; processor time of the three processes, less what
 * they use when idle.
 */
export const costs = {
  /** `POST /v3/maintenance/status` on a connection that is open. */
  status: 0.7,
  /** A linearizable read, `/readyz` or `/health`, on a connection that is open. */
  deep: 2.6,
  /** What a connection of its own adds to a request. */
  connect: 0.5,
  /** The same with a full TLS handshake (P-256). */
  connectTls: 2.1,
} as const;

/** How many cores each member has: how fast it works off requests that come all at once. An assumption. */
export const coresPerMember = 2;
