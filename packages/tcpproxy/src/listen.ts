import {
  type Address,
  formatAddress,
  formatListenTarget,
  GatewayError,
  type Listener,
  type ListenHandlers,
  type ListenTarget,
  notify,
  type Observer,
  type Relay,
  type RelaySettings,
} from "@gw/interface";
import { listenAtPath } from "./listen-target.js";

/** Where a listener listens, for events. It is set before the first client is reported. */
export interface ListenerName {
  name: string;
}

/** What listeners are opened with. */
export interface ListenContext {
  readonly relay: Relay;
  /** The handlers of one listener. */
  readonly handlersOf: (listener: ListenerName) => ListenHandlers;
  readonly settings: RelaySettings;
  /** The IP addresses of a host. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly observer: Observer | undefined;
}

/** How many free ports are tried until one is free at all addresses of a name. */
const maxPortAttempts = 10;

/**
 * Listens at one target of the options.
 *
 * @param listening addresses that are listened on already, which are left out without a report
 * @throws {GatewayError} why that cannot be listened on; then nothing of it is
 */
export async function listenAt(
  target: ListenTarget,
  listening: readonly Address[],
  context: ListenContext,
): Promise<readonly Listener[]> {
  if ("path" in target) return [await listenAtPath(target.path, () => openListener(target, context))];
  return "fd" in target ? [await openListener(target, context)] : listenAtAll(target, listening, context);
}

/**
 * Listens at all addresses of a host, on one port; port 0 takes one that is free at all of them. Addresses that this
 * machine does not have (`::1` of localhost, say, where there is no IPv6) are left out and reported by `listenSkipped`.
 *
 * @throws {GatewayError} why none of the addresses can be listened on, or that one is in use; then none is
 */
async function listenAtAll(
  address: Address,
  listening: readonly Address[],
  context: ListenContext,
): Promise<readonly Listener[]> {
  const hosts = await context.resolve(address.host).catch((cause: unknown) => {
    const { code, detail } = GatewayError.from(cause, "look up");
    throw new GatewayError(code, `listen on ${formatAddress(address)}: ${detail}`, { cause });
  });
  const isOpen = (host: string): boolean =>
    listening.some(one => one.host === host && one.port === address.port);
  const missing = [...new Set(hosts)].filter(host => !isOpen(host));
  for (let attempt = 1; missing.length > 0; attempt++) {
    const opened = await listenOnce(missing, address.port, context, attempt === maxPortAttempts);
    if (opened) return opened;
  }
  return [];
}

/** Undefined where the free port that the first address got is in use at another, unless this is the last attempt. */
async function listenOnce(
  hosts: readonly string[],
  port: number,
  context: ListenContext,
  last: boolean,
): Promise<readonly Listener[] | undefined> {
  const opened: Listener[] = [];
  const skipped: { readonly address: Address; readonly error: GatewayError }[] = [];
  for (const host of hosts) {
    const address = { host, port: port || (opened[0]?.address.port ?? 0) };
    try {
      opened.push(await openListener(address, context));
    } catch (cause) {
      const error = GatewayError.from(cause, `listen on ${formatAddress(address)}`);
      if (isMissingHere(error)) {
        skipped.push({ address, error });
        continue;
      }
      for (const listener of opened) listener.close();
      if (error.code === "address-in-use" && port === 0 && opened.length > 0 && !last) return undefined;
      throw error;
    }
  }
  if (opened.length === 0 && skipped[0]) throw skipped[0].error;
  for (const one of skipped) notify(context.observer, "listenSkipped", one);
  return opened;
}

async function openListener(
  target: ListenTarget,
  { relay, handlersOf, settings }: ListenContext,
): Promise<Listener> {
  const named: ListenerName = { name: formatListenTarget(target) };
  const listener = await relay.listen(target, handlersOf(named), settings);
  named.name = formatAddress(listener.address);
  return listener;
}

/** An address that this machine does not have, or of a family that it does not have. */
function isMissingHere({ code }: GatewayError): boolean {
  return code === "address-not-available" || code === "unreachable";
}
