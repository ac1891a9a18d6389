import type { Socket } from "node:net";
import { type Endpoint, formatAddress, type Verdict } from "@gw/interface";
import { connecting } from "./connecting.js";
import type { Dial } from "./dial-tcp.js";
import { createEtcdLook, type EtcdLook } from "./etcd-look.js";
import { createHttpClient } from "./http-client.js";
import type { HttpProbeOptions } from "./http-probe.js";
import { probeSettings } from "./probing.js";
import { remember } from "./remember.js";
import { askEitherWay } from "./scheme.js";
import { tlsSide } from "./tls-side.js";
import { whereToAsk } from "./where.js";

/** What probes for etcd are made of. */
export interface EtcdParts {
  readonly look: (endpoint: Endpoint, signal: AbortSignal) => Promise<EtcdLook>;
  /** When a look that begins now has to end, on the clock of the options. */
  readonly ends: () => number;
  /** Connects, over TLS to what is known to speak it. */
  readonly connect: (endpoint: Endpoint, signal: AbortSignal, endAt: number) => Promise<Verdict>;
  /** Whether a connection of the newest look had a byte of an answer. */
  readonly heard: (endpoint: Endpoint) => boolean;
  /** Whether the look that ends at `endAt` was given a connection at least, on which it may wait for TLS in vain. */
  readonly accepted: (endpoint: Endpoint, endAt: number) => boolean;
  readonly close: () => void;
}

/** The connections to one endpoint. */
interface Dials {
  acceptedAt: number;
  /** Those of the newest look: a few, since a question that fails is asked once more at most. */
  sockets: Socket[];
}

/** @throws {GatewayError} `invalid-option` */
export function etcdParts(options: HttpProbeOptions): EtcdParts {
  const settings = probeSettings(options);
  const { clock, timeoutMs } = settings;
  const where = whereToAsk(options);
  const tls = tlsSide(options);
  const dials = remember<Dials>(clock, () => ({ acceptedAt: -Infinity, sockets: [] }));
  const dial: Dial = async (endpoint, signal) => {
    const socket = await settings.dial(endpoint, signal);
    const dialled = dials.of(formatAddress(endpoint));
    dialled.acceptedAt = clock.now();
    dialled.sockets.push(socket);
    return socket;
  };
  const client = createHttpClient({ clock, dial, tls });
  const asker = askEitherWay(client, clock);
  const look = createEtcdLook({ ...settings, asker, where });
  return {
    look(endpoint, signal) {
      dials.of(formatAddress(where(endpoint).endpoint)).sockets = [];
      return look(endpoint, signal);
    },
    ends: () => clock.now() + timeoutMs,
    connect: (endpoint, signal, endAt) =>
      connecting(endpoint, asker.secure(endpoint) ? tls : undefined, {
        ...settings,
        timeoutMs: Math.max(1, endAt - clock.now()),
        signal,
      }),
    heard(endpoint) {
      const { endpoint: asked } = where(endpoint);
      return dials.of(formatAddress(asked)).sockets.some(({ bytesRead }) => bytesRead > 0);
    },
    accepted(endpoint, endAt) {
      const { endpoint: asked } = where(endpoint);
      return !asker.secure(asked) && dials.of(formatAddress(asked)).acceptedAt >= endAt - timeoutMs;
    },
    close: client.close,
  };
}
