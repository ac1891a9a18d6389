import type { Address, Endpoint } from "@gw/interface";
import type { ProxyClient } from "./client.js";

/**
 * An open connection of a proxy. Its values are read when they are asked for; once it has ended they are not kept up to
 * date.
 */
export interface OpenConnection {
  /** Its number in events. */
  readonly id: number;
  /** `host` is empty if the client left in this moment. */
  readonly client: Address;
  /** Where it was accepted: `127.0.0.1:23790`, `unix:/run/gw.sock`. */
  readonly listener: string;
  /** That which serves it, or is tried now. Undefined while there is none. */
  readonly endpoint?: Endpoint | undefined;
  readonly state: "dialling" | "connected";
  /** Since accept, in milliseconds. */
  readonly ageMs: number;
  /** Bytes read from the client so far. */
  readonly bytesFromClient: number;
  /** Bytes read from the endpoint so far. */
  readonly bytesFromBackend: number;
  /** How long ago the endpoint last sent a byte, in milliseconds; undefined if it never did, and without a stall timeout. */
  readonly answeredMs?: number | undefined;
  /** For how long the client has been waiting for an answer, in milliseconds; undefined if it does not wait. */
  readonly waitingMs?: number | undefined;
  /**
   * Resets both sides. `closed` follows, with the reason `aborted` and an error that says that the operator did it; or
   * `unserved` with that error, if it was not connected yet.
   *
   * @returns false if it was ending already
   */
  kill(): boolean;
}

/** Which connections are listed. */
export interface OpenConnectionsQuery {
  /** Only connections with a greater `id`: that of the last one of the page before. @default 0 */
  readonly after?: number | undefined;
}

/** Lists `clients` in the order of their numbers: those that are open now and have not ended when they are reached. */
export function* listOpen(
  clients: Iterable<ProxyClient>,
  { after = 0 }: OpenConnectionsQuery,
): Generator<OpenConnection, void, undefined> {
  const listed: ProxyClient[] = [];
  for (const client of clients) if (client.id > after) listed.push(client);
  listed.sort((one, other) => one.id - other.id);
  for (const client of listed) if (!client.isEnding) yield new ListedClient(client);
}

class ListedClient implements OpenConnection {
  readonly #client: ProxyClient;

  constructor(client: ProxyClient) {
    this.#client = client;
  }

  get id(): number {
    return this.#client.id;
  }

  get client(): Address {
    return this.#client.address;
  }

  get listener(): string {
    return this.#client.listener;
  }

  get endpoint(): Endpoint | undefined {
    return this.#client.endpoint;
  }

  get state(): "dialling" | "connected" {
    return this.#client.isConnected ? "connected" : "dialling";
  }

  get ageMs(): number {
    return this.#client.ageMs;
  }

  get bytesFromClient(): number {
    return this.#client.bytesFromClient;
  }

  get bytesFromBackend(): number {
    return this.#client.bytesFromBackend;
  }

  get answeredMs(): number | undefined {
    return this.#client.answeredMs;
  }

  get waitingMs(): number | undefined {
    return this.#client.waitingMs;
  }

  kill(): boolean {
    return this.#client.kill();
  }
}
