import type { ServerResponse } from "node:http";
import { GatewayError, printable } from "@gw/interface";
import type { AdminActions, AdminGateway } from "../contract/gateway.js";
import { type Answer, json } from "./answer.js";
import { checkTimeoutMs, maxChecks } from "./limits.js";
import { endpointOf, flag, QueryError } from "./query.js";

/** A request for an action whose method is POST. */
interface ActionRequest {
  readonly gateway: AdminGateway;
  readonly query: URLSearchParams;
  /** The value of the header `x-gw-action`. */
  readonly mark: string | undefined;
  /** A check ends when it closes. */
  readonly response: ServerResponse;
}

/** The paths of the actions. */
export type Actions = ReadonlyMap<string, (request: ActionRequest) => Promise<Answer>>;

/** The log levels of gw, for the text of an error; the gateway decides. */
const levels = "trace, debug, info, warn, error or silent";

const done: Answer = json(200, { done: true });

/**
 * The actions by their paths, such as `/actions/drain`. A request must have the header `x-gw-action: 1`, which a foreign web
 * page cannot make a browser send: neither a form can, nor a script without asking, and this server allows no site to.
 */
export function createActions(): Actions {
  let checks = 0;
  const check: Action = async (actions, { query, response }) => {
    const endpoint = requiredEndpoint(query);
    if (checks >= maxChecks) return failure(409, `${maxChecks} checks are running already; try again later`);
    checks += 1;
    const abort = new AbortController();
    const stop = (): void => abort.abort();
    response.once("close", stop);
    try {
      const reason = await actions.check(
        endpoint,
        AbortSignal.any([abort.signal, AbortSignal.timeout(checkTimeoutMs)]),
      );
      return json(200, reason === undefined ? { healthy: true } : { healthy: false, reason });
    } finally {
      response.off("close", stop);
      checks -= 1;
    }
  };
  return new Map(
    Object.entries({ ...simpleActions, check }).map(([name, action]) => [
      `/actions/${name}`,
      request => run(action, request),
    ]),
  );
}

type Action = (actions: AdminActions, request: ActionRequest) => Answer | Promise<Answer>;

const simpleActions: { readonly [name: string]: Action } = {
  drain(actions, { query }) {
    actions.drain(requiredEndpoint(query), { force: flag(query, "force") });
    return done;
  },
  down(actions, { query }) {
    actions.markDown(requiredEndpoint(query), { force: flag(query, "force") });
    return done;
  },
  undrain(actions, { query }) {
    actions.undrain(requiredEndpoint(query));
    return done;
  },
  refresh(actions) {
    actions.refresh();
    return done;
  },
  "log-level"(actions, { query }) {
    const level = query.get("level");
    if (level === null || !/^[a-z]{1,16}$/.test(level)) throw invalidLevel();
    try {
      actions.setLogLevel(level);
    } catch (error) {
      throw error instanceof GatewayError && error.code === "invalid-option" ? invalidLevel() : error;
    }
    return done;
  },
};

async function run(action: Action, request: ActionRequest): Promise<Answer> {
  const { actions } = request.gateway;
  if (actions === undefined)
    return failure(403, "actions are off; start the gateway with --admin-actions to allow them");
  if (request.mark !== "1") return failure(403, "an action needs the header x-gw-action: 1");
  try {
    return await action(actions, request);
  } catch (error) {
    if (error instanceof QueryError) return failure(400, error.message);
    if (!(error instanceof GatewayError)) throw error;
    if (error.code === "invalid-endpoint") return failure(404, "this gateway has no such endpoint");
    // Why it must not be done now, in the words of the gateway, about an endpoint that it knows.
    if (error.code === "refused") return failure(409, printable(error.detail));
    if (error.code === "aborted" || error.code === "timed-out")
      return failure(409, "the action was not finished in time");
    throw error;
  }
}

function failure(status: number, error: string): Answer {
  return json(status, { error });
}

function requiredEndpoint(query: URLSearchParams): string {
  const endpoint = endpointOf(query);
  if (endpoint === undefined)
    throw new QueryError("endpoint is missing; it must be host:port or [IPv6]:port");
  return endpoint;
}

function invalidLevel(): QueryError {
  return new QueryError(`level must be ${levels}`);
}
