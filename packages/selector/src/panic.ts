import { type Clock, GatewayError, notify, type Observer } from "@gw/interface";
import type { Member } from "./member.js";
import type { Serving } from "./tiers.js";

/** Tells when a pool begins and ceases to ignore what was found out about its members. */
export class Panic {
  readonly #observer: Observer | undefined;
  readonly #clock: Clock;
  #cause: NonNullable<ReturnType<typeof causeOf>> | undefined;
  #since = 0;

  constructor(observer: Observer | undefined, clock: Clock) {
    this.#observer = observer;
    this.#clock = clock;
  }

  /** To be called whenever something was found out, or the members have changed. */
  assess(members: readonly Member[], serving: Serving): void {
    const before = this.#cause;
    this.#cause = causeOf(members, serving);
    if (this.#cause === before) return;
    if (before === undefined) this.#since = this.#clock.now();
    if (this.#cause === undefined) {
      notify(this.#observer, "panicOver", { panicMs: this.#clock.now() - this.#since });
      return;
    }
    const used = members.filter(member => serving.usable.has(member) && faultOf(member));
    const error = faultOf(newest(used)) ?? new GatewayError("unknown", "nothing is known of it");
    notify(this.#observer, "panic", {
      cause: this.#cause,
      endpoints: used.map(({ endpoint }) => endpoint),
      error,
    });
  }
}

function causeOf(
  members: readonly Member[],
  { usable, panic }: Serving,
): "all-aside" | "most-unhealthy" | "shared" | undefined {
  if (panic) return panic;
  const verdicts = members.flatMap(({ aside, verdict }) => (aside || !verdict ? [] : [verdict]));
  // Whoever is up in spite of a bad verdict is so because nobody was better.
  const shared =
    usable.size > 0 && verdicts.some(({ error }) => error) && verdicts.every(({ error }) => error);
  return shared ? "shared" : undefined;
}

function faultOf(member: Member | undefined): GatewayError | undefined {
  return member?.aside?.error ?? member?.verdict?.error;
}

function newest(members: readonly Member[]): Member | undefined {
  return members.toSorted((one, other) => (one.aside?.since ?? 0) - (other.aside?.since ?? 0)).at(-1);
}
