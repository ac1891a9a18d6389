import { type Address, type Pool, sameEndpoint } from "@gw/interface";

/**
 * The simplest pool: each client gets the first of `addresses` that can be dialled. It remembers nothing, so
 * that a first address that is down costs every client an attempt; `@gw/selector` has a pool that learns.
 */
export function inOrder(addresses: readonly Address[]): Pool {
  const endpoints = addresses.map(address => Object.freeze({ priority: 0, weight: 0, ...address }));
  return {
    acquire({ tried }) {
      const endpoint = endpoints.find(endpoint => !tried.some(one => sameEndpoint(one, endpoint)));
      return endpoint && { endpoint, connected() {}, failed() {}, released() {} };
    },
  };
}
