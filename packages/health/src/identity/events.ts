import { type Clock, formatAddress, type HealthObserver } from "@gw/interface";
import { identityWaitMs } from "../defaults.js";
import { notifyHealth } from "../observer.js";
import type { IdentityView } from "./decision.js";

/** Reports what has changed about the identity of endpoints, each once. */
export interface IdentityEvents {
  /**
   * Reports what is new, unless questions are under way whose answers may belong to it: then in a second at the latest.
   *
   * @returns when to call it again although nothing has changed, on the clock; Infinity if that is not necessary
   */
  report(view: IdentityView, isAsking: boolean): number;
}

/** While no endpoint is used, this is repeated so often, in milliseconds. */
const repeatMs = 600_000;

export function createIdentityEvents(observer: HealthObserver | undefined, clock: Clock): IdentityEvents {
  let identified: string | undefined;
  let picture = "";
  let mixedSince: number | undefined;
  let repeatAt = Infinity;
  let unable = new Set<string>();
  /** Since when there is something to report. */
  let pendingSince: number | undefined;

  return {
    report(view, isAsking) {
      const now = clock.now();
      const { accepted, foreign, usable, members } = view;
      const isIdentified = accepted && (members.length > 0 || isDecidedHere(accepted.reason));
      const current = isIdentified ? accepted.clusterId : identified;
      const nextPicture = foreign.length === 0 ? "" : pictureOf(view);
      const unableNow = view.unable.map(formatAddress);
      const isUnableNew = unableNow.some(address => !unable.has(address));
      const isRepeated = now >= repeatAt;
      if (current === identified && nextPicture === picture && !isUnableNew && !isRepeated) {
        pendingSince = undefined;
        return repeatAt;
      }
      pendingSince ??= now;
      if (isAsking && now < pendingSince + identityWaitMs) return pendingSince + identityWaitMs;
      pendingSince = undefined;

      const from = identified;
      if (accepted && current !== identified) {
        identified = current;
        notifyHealth(observer, "clusterIdentified", { ...accepted, members, foreign, from });
      }
      if (isUnableNew) {
        const endpoints = view.unable.filter(endpoint => !unable.has(formatAddress(endpoint)));
        notifyHealth(observer, "clusterUnknown", { endpoints });
      }
      unable = new Set(unableNow);
      if (accepted && foreign.length > 0 && (nextPicture !== picture || isRepeated)) {
        mixedSince ??= now;
        const { clusterId } = accepted;
        const isAnyUsed = usable.length > 0;
        notifyHealth(observer, "wrongCluster", { clusterId, members, foreign, isAnyUsed });
        repeatAt = isAnyUsed ? Infinity : now + repeatMs;
      }
      if (foreign.length === 0 && mixedSince !== undefined) {
        // That the other cluster is the accepted one now was reported above.
        if (accepted && current === from)
          notifyHealth(observer, "wrongClusterOver", {
            clusterId: accepted.clusterId,
            lastedMs: now - mixedSince,
          });
        mixedSince = undefined;
        repeatAt = Infinity;
      }
      picture = nextPicture;
      return repeatAt;
    },
  };
}

/** Whether the cluster was not known before any endpoint answered. */
function isDecidedHere(reason: string): boolean {
  return reason !== "pinned" && reason !== "remembered";
}

/** Changes whenever the report on foreign endpoints has to be made again. */
function pictureOf({ accepted, foreign, usable }: IdentityView): string {
  const others = foreign.map(({ endpoint, clusterId }) => `${formatAddress(endpoint)} ${clusterId}`);
  return [accepted?.clusterId, usable.length > 0, ...others].join();
}
