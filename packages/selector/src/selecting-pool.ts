import {
  type Endpoint,
  formatAddress,
  GatewayError,
  type Lease,
  type LeaseRequest,
  notify,
  type Observer,
  type Selector,
  sameEndpoint,
} from "@gw/interface";
import { type FarewellSettings, type OnRemoved, sayFarewell } from "./farewell.js";
import { lease } from "./lease.js";
import type { Member } from "./member.js";
import { Membership } from "./membership.js";
import { type Offer, offerOf } from "./offer.js";
import { Picker } from "./picker.js";
import type { EndpointPool } from "./pool.js";
import { Retries, type RetrySettings } from "./retries.js";
import { Switches } from "./switches.js";

/** What a pool works with; see the options of `createPool`. */
export interface PoolSettings extends RetrySettings, FarewellSettings {
  readonly selector: Selector;
  readonly onRemoved: OnRemoved;
}

/** The pool of `createPool`: knows who is up and who is set aside, and tells what follows when that changes. */
export class SelectingPool implements EndpointPool {
  readonly #settings: PoolSettings;
  readonly #observer: Observer | undefined;
  readonly #membership = new Membership();
  readonly #picker: Picker;
  readonly #switches: Switches;
  readonly #retries: Retries;
  /** What a client that has failed on nothing is offered; undefined when it must be worked out anew. */
  #offer: Offer | undefined;
  /** How many leases were handed out; orders them. */
  #leases = 0;
  #lastChanceSaid = false;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
    this.#observer = settings.observer;
    this.#picker = new Picker(settings.selector, settings.observer);
    this.#switches = new Switches(settings.observer);
    this.#retries = new Retries(settings, member => this.#takeBack(member));
  }

  update(endpoints: readonly Endpoint[]): void {
    const { added, removed } = this.#membership.replace(endpoints);
    this.#offer = undefined;
    if (this.#anyUp) this.#lastChanceSaid = false;
    for (const member of removed) this.#dismiss(member);
    if (added.length + removed.length > 0)
      notify(this.#observer, "endpointsChanged", { added, removed: removed.map(toEndpoint) });
    this.#sayLastChance();
  }

  acquire(request: LeaseRequest): Lease | undefined {
    const member = this.#picker.pick(this.#offerTo(request.tried));
    if (!member) return undefined;
    this.#leases += 1;
    return lease(member, this.#leases, this.#outcomes, request);
  }

  close(): void {
    this.#retries.close();
    this.#membership.close();
  }

  #offerTo(tried: readonly Endpoint[]): Offer {
    const { members } = this.#membership;
    if (tried.length > 0)
      return offerOf(members.filter(({ endpoint }) => !tried.some(one => sameEndpoint(one, endpoint))));
    this.#offer ??= offerOf(members);
    return this.#offer;
  }

  readonly #outcomes = {
    connected: (member: Member): void => {
      if (member.removed) return;
      member.provenAt = this.#leases;
      if (member.aside) this.#takeBack(member);
      this.#switches.connected(member);
    },
    failed: (member: Member, error: GatewayError, order: number): void => {
      // A dial that began before another succeeded tells nothing new.
      if (error.isLocal || member.removed || order <= member.provenAt) return;
      if (member.aside) member.aside = { ...member.aside, error };
      else this.#setAside(member, error);
    },
    ended: (member: Member): void => this.#membership.ended(member),
  };

  #setAside(member: Member, error: GatewayError): void {
    const { clock, retryDelayMs: retryInMs } = this.#settings;
    member.aside = { since: clock.now(), error };
    this.#offer = undefined;
    notify(this.#observer, "setAside", { endpoint: member.endpoint, error, retryInMs });
    this.#retries.begin(member);
    // Where there is no other endpoint to go to, what is being dialled may still succeed.
    if (this.#anyUp) member.revokeDials(error);
    this.#sayLastChance();
  }

  #takeBack(member: Member): void {
    const asideMs = this.#settings.clock.now() - (member.aside?.since ?? 0);
    member.aside = undefined;
    member.retry.cancel();
    this.#offer = undefined;
    this.#lastChanceSaid = false;
    notify(this.#observer, "back", { endpoint: member.endpoint, asideMs });
  }

  /** Ends the dials to a member that is gone, and its connections when it is time. */
  #dismiss(member: Member): void {
    const { endpoint } = member;
    member.revokeDials(new GatewayError("aborted", `${formatAddress(endpoint)} is no longer an endpoint`));
    const connections = member.connected.size;
    const withinMs = sayFarewell(member, this.#settings.onRemoved, this.#settings);
    if (withinMs > 0) notify(this.#observer, "closing", { endpoint, connections, withinMs });
  }

  get #anyUp(): boolean {
    return this.#membership.members.some(({ aside }) => !aside);
  }

  /** Tells that nothing is up any more, once until something is. */
  #sayLastChance(): void {
    const { members } = this.#membership;
    if (this.#lastChanceSaid || members.length === 0 || this.#anyUp) return;
    this.#lastChanceSaid = true;
    notify(this.#observer, "lastChance", { endpoints: members.map(toEndpoint) });
  }
}

function toEndpoint({ endpoint }: Member): Endpoint {
  return endpoint;
}
