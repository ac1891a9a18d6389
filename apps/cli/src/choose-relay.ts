import { GatewayError, messageOf, type Relay } from "@gw/interface";
import { jsRelay } from "@gw/tcpproxy";

/** What `--relay` takes; the first is the default. */
export const relayChoices = ["auto", "native", "js"] as const;
export type RelayChoice = (typeof relayChoices)[number];

/** A relay, and for `auto` why it is not the native one. */
export interface ChosenRelay {
  readonly relay: Relay;
  readonly why?: string;
}

/**
 * The native relay where it can run, else the TypeScript one.
 *
 * @param threads of the native relay; undefined: its default
 * @throws {GatewayError} `unavailable` if `native` is asked for by name and cannot run; `invalid-option`
 */
export async function chooseRelay(
  choice: RelayChoice = relayChoices[0],
  threads?: number,
): Promise<ChosenRelay> {
  if (choice === "js") return { relay: jsRelay() };
  try {
    const { splice } = await import("@gw/splice");
    return { relay: splice({ threads }) };
  } catch (cause) {
    const error =
      cause instanceof GatewayError
        ? cause
        : new GatewayError("unavailable", `native relay: ${messageOf(cause)}`);
    if (choice === "native" || error.code !== "unavailable") throw error;
    return { relay: jsRelay(), why: error.detail };
  }
}
