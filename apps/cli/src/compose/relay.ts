import { stat } from "node:fs";
import {
  GatewayError,
  type Listener,
  type ListenHandlers,
  type ListenTarget,
  messageOf,
  type Relay,
  type RelaySettings,
} from "@gw/interface";
import { jsRelay } from "@gw/tcpproxy";

/** The values of `--relay`; the first is the default. */
export const relayChoices = ["auto", "native", "js"] as const;
export type RelayChoice = (typeof relayChoices)[number];

/** Options of {@link chooseRelay}. */
export interface RelayOptions {
  /** Of the native relay. @default its own default */
  readonly threads?: number | undefined;
  /** Called, with `auto`, when the native relay cannot run here, before the TypeScript one is used. */
  readonly onFallback: (why: string) => void;
}

/**
 * The native relay if it can run here, else the TypeScript one.
 *
 * @throws {GatewayError} `unavailable` if the choice is `native` and it cannot run; `invalid-option`
 */
export async function chooseRelay(
  choice: RelayChoice = relayChoices[0],
  { threads, onFallback }: RelayOptions,
): Promise<Relay> {
  if (choice === "js") return jsRelay();
  try {
    // libuv aborts the process if it cannot start its own threads: they start first, in case threads are limited.
    await new Promise<void>(done => stat("/", () => done()));
    const { splice } = await import("@gw/splice");
    const native = splice({ threads });
    return choice === "native" ? native : new FallbackRelay(native, onFallback);
  } catch (cause) {
    const error =
      cause instanceof GatewayError
        ? cause
        : new GatewayError("unavailable", `native relay: ${messageOf(cause)}`);
    if (choice === "native" || error.code !== "unavailable") throw error;
    onFallback(error.detail);
    return jsRelay();
  }
}

/** The native relay until it cannot start, and the TypeScript one from then on. */
class FallbackRelay implements Relay {
  #relay: Relay;
  readonly #onFallback: (why: string) => void;

  constructor(native: Relay, onFallback: (why: string) => void) {
    this.#relay = native;
    this.#onFallback = onFallback;
  }

  get name(): string {
    return this.#relay.name;
  }

  get takesSockets(): boolean | undefined {
    return this.#relay.takesSockets;
  }

  async listen(target: ListenTarget, handlers: ListenHandlers, settings: RelaySettings): Promise<Listener> {
    const relay = this.#relay;
    try {
      return await relay.listen(target, handlers, settings);
    } catch (error) {
      if (!(error instanceof GatewayError && error.code === "unavailable")) throw error;
      if (this.#relay === relay) {
        this.#relay = jsRelay();
        this.#onFallback(error.detail);
      }
      return this.#relay.listen(target, handlers, settings);
    }
  }
}
