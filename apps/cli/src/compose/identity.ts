import type { StatusQuery } from "@gw/health";
import {
  type ClusterIdentity,
  type ClusterIdentityOptions,
  identifyCluster,
  identityTimeoutMs,
} from "@gw/health/identity";
import {
  type Endpoint,
  formatAddress,
  GatewayError,
  type GatewayErrorCode,
  type HealthObserver,
} from "@gw/interface";
import type { EndpointPool } from "@gw/selector";
import { canIdentify, type HealthFlags, pinnedClusterId } from "../flags/health.js";
import type { Certificates, Dial } from "./certificates.js";

/** Keeps members of other clusters out of the pool. */
export interface Identity extends Omit<ClusterIdentity, "start"> {
  /** Passes the endpoints on to `pool` from now on. */
  start(pool: Pick<EndpointPool, "update">): void;
}

/** What {@link createIdentity} needs of the rest of the gateway. */
export interface IdentityContext {
  readonly dial: Dial;
  /** Names that a certificate may have instead of the endpoint's host. */
  readonly serverNames: readonly string[];
  readonly certificates: Certificates;
  readonly observer: HealthObserver;
  /** The cluster id that an earlier run accepted. @default unknown */
  readonly remembered?: string | undefined;
}

/**
 * The stage between discovery and pool that `--cluster-id` asks for. It passes on everything with `off`, and with health
 * checks that do not ask what etcd answers.
 */
export function createIdentity(flags: HealthFlags, context: IdentityContext): Identity {
  if (!canIdentify(flags)) return passAll();
  const questions = createQuestions(context);
  const identity = identifyCluster({
    ask: questions.ask,
    pinned: pinnedClusterId(flags),
    remembered: context.remembered,
    holdMs: flags.clusterIdHoldMs,
    observer: context.observer,
  });
  return {
    get clusterId() {
      return identity.clusterId;
    },
    update: endpoints => identity.update(endpoints),
    learn: (endpoint, facts) => identity.learn(endpoint, facts),
    suspect: endpoint => identity.suspect(endpoint),
    moved: host => identity.moved(host),
    connected: (endpoint, isRecovered) => identity.connected(endpoint, isRecovered),
    admit: (endpoint, signal) => identity.admit(endpoint, signal),
    start(pool) {
      identity.start((endpoints, rejected) => pool.update(endpoints, rejected));
    },
    refresh() {
      questions.renew();
      identity.refresh();
    },
    close() {
      identity.close();
      questions.renew();
    },
  };
}

function passAll(): Identity {
  let set: readonly Endpoint[] | undefined;
  let use = (endpoints: readonly Endpoint[]): void => {
    set = endpoints;
  };
  return {
    clusterId: undefined,
    update: endpoints => use(endpoints),
    start(pool) {
      use = endpoints => pool.update(endpoints);
      if (set) use(set);
    },
    learn() {},
    suspect() {},
    moved() {},
    connected() {},
    admit: async () => {},
    refresh() {},
    close() {},
  };
}

/** Questions to endpoints about their identity. */
interface Questions {
  readonly ask: ClusterIdentityOptions["ask"];
  /** Uses the certificate files that are in use now. */
  renew(): void;
}

/**
 * Asks endpoints where they serve their clients, whatever the port or URL of health checks is. Connections are not kept when
 * no question is under way: the next client's connection may lead elsewhere than the last one did.
 */
function createQuestions({ dial, serverNames, certificates }: IdentityContext): Questions {
  let status: Promise<StatusQuery> | undefined;
  let asking = 0;
  const load = async (): Promise<StatusQuery> => {
    const { etcdStatus } = await import("@gw/health");
    return etcdStatus({ ...certificates.files, serverNames, dial, timeoutMs: identityTimeoutMs });
  };
  return {
    async ask(endpoint, signal) {
      status ??= load();
      const query = await status;
      asking += 1;
      try {
        return (await query(endpoint, signal)).clusterId;
      } catch (thrown) {
        const error = GatewayError.from(thrown, `ask ${formatAddress(endpoint)}`);
        if (cannotTell.has(error.code)) return undefined;
        throw error;
      } finally {
        asking -= 1;
        if (asking === 0) query.close();
      }
    },
    renew() {
      status = undefined;
    },
  };
}

/** What is not etcd, or answers only to clients with a certificate, is there. */
const cannotTell: ReadonlySet<GatewayErrorCode> = new Set(["unhealthy", "certificate-refused"]);
