import { GatewayError, messageOf, notify } from "@gw/interface";
import { viewChoiceOf, viewOf } from "../policies/candidate-view.js";
import { pickByWeight } from "../policies/weighted-random.js";
import { entryOf, type PoolEntry } from "./entry.js";
import type { Offer } from "./offer.js";
import type { PoolSettings } from "./options.js";
import type { Tiers } from "./tiers.js";

type PickerSettings = Pick<PoolSettings, "selector" | "observer" | "random">;

/** Asks a selector, and does without it where it fails: a bad policy must not stop the service. */
export class Picker {
  readonly #settings: PickerSettings;
  readonly #tiers: Tiers;
  readonly #pickFromView: ReturnType<typeof viewChoiceOf>;
  readonly #targetFromView: ReturnType<typeof viewChoiceOf>;
  /** What failed when the selector was last asked for it. */
  readonly #failing = new Set<"pick" | "picksAhead" | "target">();

  constructor(settings: PickerSettings, tiers: Tiers) {
    this.#settings = settings;
    this.#tiers = tiers;
    this.#pickFromView = viewChoiceOf(settings.selector.pick);
    this.#targetFromView = viewChoiceOf(settings.selector.target);
  }

  /** For a client that has `tried` entries; see `Tiers.offer`. Undefined if it has tried all. */
  pick(tried: readonly PoolEntry[], isFailover: boolean): PoolEntry | undefined {
    const picked = this.#pickFrom(this.#tiers.offer(tried, isFailover));
    // In a panic the few others that are healthy would get the connections of all gateways.
    if (!picked || !this.#isAvoided(picked) || this.#tiers.panic) return picked;
    return this.#insteadOf(picked, tried);
  }

  /** For a client that has not come yet; undefined if it has to come first. */
  pickAhead(): PoolEntry | undefined {
    if (this.#tiers.panic || !this.#picksAhead()) return undefined;
    const picked = this.#pickFrom(this.#tiers.offer([], false));
    // What replaces one that is avoided is not up to the policy, and for each client another.
    return picked && this.#isAvoided(picked) ? undefined : picked;
  }

  /** Where open connections should be; undefined if they may stay, or the selector fails. */
  target(): PoolEntry | undefined {
    const offer = this.#tiers.offer([], false);
    const { view } = offer.choice;
    if (view.length === 0) return undefined;
    try {
      const choice: unknown = this.#targetFromView
        ? this.#targetFromView(view)
        : this.#settings.selector.target?.(offer.choice.candidates());
      const entry = choice === undefined ? undefined : entryIn(offer, choice);
      this.#failing.delete("target");
      return entry;
    } catch (error) {
      this.#reportFailure("target", "its target is ignored: ", error);
      return undefined;
    }
  }

  /** One of those offered, at random if the selector fails; undefined only if nothing is. */
  #pickFrom(offer: Offer): PoolEntry | undefined {
    const { view } = offer.choice;
    if (view.length === 0) return undefined;
    try {
      const choice: unknown = this.#pickFromView
        ? this.#pickFromView(view)
        : this.#settings.selector.pick(offer.choice.candidates());
      const entry = entryIn(offer, choice);
      this.#failing.delete("pick");
      return entry;
    } catch (error) {
      this.#reportFailure("pick", "", error);
      return entryOf(view.at(Math.floor(Math.random() * view.length)));
    }
  }

  /** Whether the selector may be asked before a client comes. */
  #picksAhead(): boolean {
    try {
      const { picksAhead } = this.#settings.selector;
      this.#failing.delete("picksAhead");
      return picksAhead === true;
    } catch (error) {
      this.#reportFailure("picksAhead", "it picks nothing ahead: ", error);
      return false;
    }
  }

  /** A custom policy decides alone whether it uses an endpoint that is avoided; those of this package do not mind. */
  #isAvoided({ isAvoided }: PoolEntry): boolean {
    return isAvoided && this.#pickFromView !== undefined;
  }

  /**
   * Another entry that is healthy, at random by weight; `picked` itself if there is none. The policy is not asked: what it
   * picks is what it means to use from now on.
   */
  #insteadOf(picked: PoolEntry, tried: readonly PoolEntry[]): PoolEntry {
    const others = this.#tiers
      .healthyBeside(picked)
      .filter(entry => !entry.isAvoided && !tried.includes(entry));
    const candidates = viewOf(others.map(({ candidate }) => candidate));
    return entryOf(pickByWeight(candidates, this.#settings.random)) ?? picked;
  }

  /** Reports it once, until the selector works again. */
  #reportFailure(what: "pick" | "picksAhead" | "target", consequence: string, error: unknown): void {
    if (this.#failing.has(what)) return;
    this.#failing.add(what);
    const detail = `the selector failed: ${consequence}${messageOf(error)}`;
    notify(this.#settings.observer, "selectorFailed", {
      error: new GatewayError("selector-failed", detail, { cause: error }),
    });
  }
}

/** The entry whose candidate `choice` is. Throws if that was not offered. */
function entryIn(offer: Offer, choice: unknown): PoolEntry {
  const entry = entryOf(choice);
  // A selector that is async in spite of its contract fails here; its rejection is no further error.
  if (choice instanceof Promise) choice.catch(() => {});
  if (entry && offer.includes(entry)) return entry;
  throw new Error("it returned something other than one of the candidates");
}
