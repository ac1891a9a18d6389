import { connect, type Socket } from "node:net";
import type { Address, ClientEvents, Listener, Relay, RelayClient, RelaySettings } from "@gw/interface";

/** No timeouts, no keepalive. */
export const settings: RelaySettings = {
  keepAliveDelayMs: 0,
  keepAliveIntervalMs: 0,
  keepAliveProbes: 0,
  userTimeoutMs: 0,
  idleTimeoutMs: 0,
  halfCloseTimeoutMs: 0,
  writeTimeoutMs: 0,
};

/** Ignores all events. */
const noEvents: ClientEvents = { connected() {}, dialFailed() {}, ended() {} };

/** Listens on a free port, and passes each client to `onClient`. */
export function listen(
  relay: Relay,
  onClient: (client: RelayClient) => ClientEvents | undefined,
  onError: (error: Error) => void = () => {},
): Promise<Listener> {
  return relay.listen({ host: "127.0.0.1", port: 0 }, { onClient, onError }, settings);
}

/** Listens on a free port, and connects each client to `backend`. */
export function serve(relay: Relay, backend: Address): Promise<Listener> {
  return listen(relay, client => {
    client.dial([backend], 10_000);
    return noEvents;
  });
}

/** A client whose errors are ignored. */
export function connectTo({ address }: Listener): Socket {
  return connect({ ...address, allowHalfOpen: true, noDelay: true }).on("error", () => {});
}

/** Blocks the event loop, while the threads of the relay go on. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Resolves when `condition` holds. The test's time limit bounds the wait. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5));
}
