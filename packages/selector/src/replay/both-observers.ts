import { notify, type Observer } from "@gw/interface";

const decisions = [
  "endpointDown",
  "endpointStillDown",
  "endpointUp",
  "failover",
  "panic",
  "panicOver",
] as const;

/** Notifies `second` of everything, and before that `first` of the decisions of a pool. */
export function bothObservers(first: Observer, second: Observer | undefined): Observer {
  const pairs = decisions.map(name => [
    name,
    (event: never) => {
      notify(first, name, event);
      notify(second, name, event);
    },
  ]);
  return {
    poolChanged: event => notify(second, "poolChanged", event),
    closingConnections: event => notify(second, "closingConnections", event),
    recyclingConnections: event => notify(second, "recyclingConnections", event),
    selectorFailed: event => notify(second, "selectorFailed", event),
    ...Object.fromEntries(pairs),
  };
}
