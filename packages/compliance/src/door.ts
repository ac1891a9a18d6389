import type { Address, Listener } from "@gw/interface";
import type { Served } from "./served.js";
import { Changing, Surprise } from "./waiting.js";

/** A listener of the relay, and the clients that it told of. */
export class Door extends Changing {
  listener: Listener | undefined;
  /** How many clients it told of. */
  count = 0;
  readonly #open: Set<Served> = new Set();
  /** By the client's port, those that nobody has asked for yet: ports are used again. */
  readonly #awaited: Map<number, Served> = new Map();

  get address(): Address {
    if (!this.listener) throw new Surprise("listen() has not resolved yet");
    return this.listener.address;
  }

  /** Those whose end has not been told. */
  get open(): readonly Served[] {
    return [...this.#open];
  }

  accepted(served: Served): void {
    this.count += 1;
    this.#open.add(served);
    this.#awaited.set(served.client.address.port, served);
    this.changed();
  }

  ended(served: Served): void {
    this.#open.delete(served);
  }

  /** What the relay tells of the client with this local port. */
  async servedOf(port: number): Promise<Served> {
    const served = await this.until(
      () => this.#awaited.get(port),
      () => `onClient() is missing for port ${port} (so far it was called for ${this.count} clients)`,
    );
    this.#awaited.delete(port);
    return served;
  }
}
