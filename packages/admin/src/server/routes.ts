import type { IncomingMessage, ServerResponse } from "node:http";
import type { AdminGateway } from "../contract/gateway.js";
import { type Answer, send, text } from "./answer.js";
import { type Entrance, refusal } from "./guard.js";
import { QueryError, splitTarget } from "./query.js";
import { drainBody, hasBody } from "./requests.js";
import { connections, events, livez, metrics, readyz, status, type ViewRequest } from "./views.js";

/** What the routes need. */
export interface RouteContext {
  readonly gateway: AdminGateway;
  /** Is told what the gateway threw. */
  readonly onError: (error: unknown) => void;
}

const views: ReadonlyMap<string, (request: ViewRequest) => Answer> = new Map([
  ["/connections", connections],
  ["/events", events],
  ["/livez", livez],
  ["/metrics", metrics],
  ["/readyz", readyz],
  ["/status", status],
]);

/** Answers one request, whatever it is. Never throws. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  entrance: Entrance,
  context: RouteContext,
): Promise<void> {
  const answer = await answerTo(request, response, entrance, context).catch((error: unknown) => {
    if (error instanceof QueryError) return text(400, error.message);
    context.onError(error);
    return text(500, "the gateway failed to answer; its log has the reason");
  });
  if (answer === undefined) return;
  // What is left of a body that was refused is not read.
  if (!request.complete) response.shouldKeepAlive = false;
  await send(request, response, answer).catch(context.onError);
}

/** @returns undefined if it has been answered, or its client has gone */
async function answerTo(
  request: IncomingMessage,
  _response: ServerResponse,
  entrance: Entrance,
  context: RouteContext,
): Promise<Answer | undefined> {
  const refused = refusal(request, entrance);
  if (refused) return refused;
  if (hasBody(request)) {
    const small = await drainBody(request);
    if (small === undefined) return undefined;
    if (!small) return text(413, "the body is too large; no route reads it");
  }
  const { path, query } = splitTarget(request.url ?? "");
  const view = views.get(path);
  if (view) {
    if (!isRead(request)) return notAllowed("GET, HEAD");
    return view({ gateway: context.gateway, query, accept: request.headers.accept });
  }
  if (path === "/") return isRead(request) ? routeList() : notAllowed("GET, HEAD");
  return text(404, "there is no such path; / lists them");
}

function isRead({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}

function notAllowed(allow: string): Answer {
  return text(405, `the method must be ${allow.replace(", ", " or ")}`, { Allow: allow });
}

function routeList(): Answer {
  return text(200, ["gw admin server", ...[...views.keys()].map(path => `GET ${path}`)].join("\n"));
}
