import type { Rig, TakenLease } from "./support.js";

/** Opens connections; their clients reconnect whenever they are closed. */
export function crowd({ take }: Rig, count: number): Set<TakenLease> {
  const open = new Set<TakenLease>();
  const connect = (): void => {
    const lease = take();
    lease.onRevoked = () => {
      open.delete(lease);
      lease.released();
      connect();
    };
    open.add(lease);
    lease.connected();
  };
  for (let index = 0; index < count; index++) connect();
  return open;
}

/** How many connections each endpoint has, as `a 3`. */
export function counts({ pool }: Rig): readonly string[] {
  return pool.inspect().map(({ endpoint, connections }) => `${endpoint.host} ${connections}`);
}

/** How many connections were moved, by the events logged so far. */
export function movedIn(log: readonly string[]): number {
  return log
    .filter(line => line.startsWith("recycling"))
    .reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
}
