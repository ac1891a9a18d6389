import { type Endpoint, type Observer, sameEndpoint } from "@gw/interface";
import type { Member } from "./cluster.js";

/** Knows to which member a gateway sends its clients. */
export interface InUse {
  /** The member that the newest connection went to; undefined before there was one. */
  readonly member: Member | undefined;
  /** `observer`, through which this learns what it knows. */
  readonly observer: Observer;
}

/** Watches a gateway, whose `observer` it goes on to call, and says when its clients go to another member. */
export function inUse(members: readonly Member[], observer: Observer, say: (line: string) => void): InUse {
  let member: Member | undefined;
  const goesTo = (endpoint: Endpoint): void => {
    const before = member;
    member = members.find(({ address }) => sameEndpoint(address, endpoint));
    if (member && member !== before) say(`requests ${before ? "now " : ""}go to ${member.name}`);
  };
  return {
    get member() {
      return member;
    },
    observer: {
      ...observer,
      connected(event) {
        observer.connected?.(event);
        goesTo(event.endpoint);
      },
    },
  };
}
