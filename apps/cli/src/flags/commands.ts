import { connectionFlags, listenFlags } from "./connections.js";
import { discoveryFlags } from "./discovery.js";
import { connectTimeoutMs, failoverFlags } from "./failover.js";
import { healthFlags, probeFlags } from "./health.js";
import { type Values, variable } from "./table.js";

/** The flags of `gw start`. */
export const startFlags = {
  ...listenFlags,
  ...discoveryFlags,
  ...healthFlags,
  ...failoverFlags,
  ...connectionFlags,
};
/** What the user said to `gw start`; undefined where nothing was said. */
export type StartFlags = Values<typeof startFlags>;

/** The flags of `gw check`, besides `--json`. */
export const checkFlags = { ...discoveryFlags, connectTimeoutMs, ...probeFlags };
/** What the user said to `gw check`. */
export type CheckFlags = Values<typeof checkFlags> & { readonly json?: boolean };

/** What the user said to `gw resolve`. */
export type ResolveFlags = Values<typeof discoveryFlags> & {
  readonly json?: boolean;
  readonly watch?: boolean;
};

/** The environment variables that `gw start` reads. */
export function startVariables(): string[] {
  return Object.values(startFlags).map(variable);
}
