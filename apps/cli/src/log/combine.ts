import { type HealthObserver, messageOf, type Observer } from "@gw/interface";

/** All events of a gateway. */
export type GatewayObserver = Observer & HealthObserver;

type Method = (event: unknown) => unknown;

/** The events that have a client's address; see {@link Observer.ignoresClients}. */
const clientEvents = ["accepted", "closed", "unserved", "limitReached"] as const;

/**
 * One observer for several. Each event goes to those that have a method for it, in their order; an event for which none
 * has one costs nothing, and one for which a single observer has one costs no more than without the others.
 *
 * What one throws, or rejects with, becomes a process warning, and the others are called all the same.
 *
 * @param observers read once, now
 */
export function combineObservers(...observers: readonly GatewayObserver[]): GatewayObserver {
  const names = new Set(observers.flatMap(eventsOf));
  const combined: { [event: string]: Method } = {};
  for (const name of names) combined[name] = combinedMethod(observers, name);
  const ofClients = observers.filter(one => clientEvents.some(name => one[name]));
  return { ...combined, ignoresClients: ofClients.every(one => one.ignoresClients === true) };
}

/** The names of the methods of an observer, those of its class included. */
function eventsOf(observer: object): readonly string[] {
  const names: string[] = [];
  for (let one: object | null = observer; one && one !== Object.prototype; one = Object.getPrototypeOf(one)) {
    names.push(...Object.getOwnPropertyNames(one));
  }
  return names.filter(name => name !== "constructor" && methodOf(observer, name));
}

function methodOf(observer: object, name: string): Method | undefined {
  const value = (observer as { readonly [name: string]: unknown })[name];
  return typeof value === "function" ? (value as Method).bind(observer) : undefined;
}

function combinedMethod(observers: readonly object[], name: string): Method {
  const methods = observers.flatMap(one => methodOf(one, name) ?? []);
  const [only, ...others] = methods;
  if (only && others.length === 0) return only;
  const warn = (error: unknown): void =>
    process.emitWarning(`gw: the observer's ${name} threw: ${messageOf(error)}`);
  return event => {
    for (const method of methods) {
      try {
        const result = method(event);
        if (result instanceof Promise) result.catch(warn);
      } catch (error) {
        warn(error);
      }
    }
  };
}
