import type { IncomingMessage, ServerResponse } from "node:http";
import type { AdminGateway } from "../contract/gateway.js";
import { type Actions, createActions } from "./actions.js";
import { type Answer, json, send, text } from "./answer.js";
import { type Entrance, refusal } from "./guard.js";
import { maxStreams } from "./limits.js";
import { createPage, type Page } from "./page.js";
import { QueryError, splitTarget } from "./query.js";
import { drainBody, hasBody } from "./requests.js";
import { schema } from "./schema.js";
import { createStreams, type Streams } from "./streams.js";
import { connections, events, livez, metrics, readyz, status, type ViewRequest } from "./views.js";

const views: ReadonlyMap<string, (request: ViewRequest) => Answer> = new Map([
  ["/connections", connections],
  ["/events", events],
  ["/livez", livez],
  ["/metrics", metrics],
  ["/readyz", readyz],
  ["/schema/status.json", schema],
  ["/status", status],
]);

const streamPath = "/stream";

/** All routes of an admin server. */
export interface Routes {
  /** Answers one request, whatever it is. Never rejects. */
  answer(request: IncomingMessage, response: ServerResponse, entrance: Entrance): Promise<void>;
  /** Ends the streams. */
  close(): void;
}

interface Context {
  readonly gateway: AdminGateway;
  readonly actions: Actions;
  readonly page: Page | undefined;
  readonly streams: Streams;
}

/** @param page the folder of the page's files @param onError is notified of what the gateway threw */
export function createRoutes(
  gateway: AdminGateway,
  page: string | undefined,
  onError: (error: unknown) => void,
): Routes {
  const streams = createStreams(gateway, onError);
  const context: Context = {
    gateway,
    actions: createActions(),
    page: page === undefined ? undefined : createPage(page),
    streams,
  };
  return {
    async answer(request, response, entrance) {
      try {
        const answer = await answerTo(request, response, entrance, context).catch(asFailure(onError));
        if (answer === undefined) return;
        // What is left of a body that was refused is not read.
        if (!request.complete) response.shouldKeepAlive = false;
        await send(request, response, isAction(request) ? asJson(answer) : answer);
      } catch (error) {
        onError(error);
        response.destroy();
      }
    },
    close: () => streams.close(),
  };
}

function asFailure(onError: (error: unknown) => void): (error: unknown) => Answer {
  return error => {
    if (error instanceof QueryError) return text(400, error.message);
    onError(error);
    return text(500, "the gateway failed to answer; its log has the reason");
  };
}

/** @returns undefined if it has been answered, or its client has gone */
async function answerTo(
  request: IncomingMessage,
  response: ServerResponse,
  entrance: Entrance,
  context: Context,
): Promise<Answer | undefined> {
  const refused = refusal(request, entrance);
  if (refused) return refused;
  if (hasBody(request)) {
    const small = await drainBody(request);
    if (small === undefined) return undefined;
    if (!small) return text(413, "the body is too large; no route reads it");
  }
  const { gateway, actions, page, streams } = context;
  const { path, query } = splitTarget(request.url ?? "");
  const action = actions.get(path);
  if (action) {
    const mark = request.headers["x-gw-action"];
    if (request.method !== "POST") return notAllowed("POST");
    return action({ gateway, query, mark: typeof mark === "string" ? mark : undefined, response });
  }
  const view = views.get(path);
  const isPage = page?.has(path) ?? path === "/";
  if (!view && !isPage && path !== streamPath) return notFound();
  if (request.method !== "GET" && request.method !== "HEAD") return notAllowed("GET, HEAD");
  if (view) return view({ gateway, query, accept: request.headers.accept });
  if (isPage) {
    const file = await page?.answer(path, request);
    return file ?? (path === "/" ? routeList(actions) : notFound());
  }
  if (streams.full) return text(503, `there are ${maxStreams} streams already`, { "Retry-After": "5" });
  streams.add(request, response);
  return undefined;
}

function isAction({ url = "" }: IncomingMessage): boolean {
  return url.startsWith("/actions/");
}

/** Errors of actions are JSON, also those that are found before an action is. */
function asJson(answer: Answer): Answer {
  if (answer.type === "application/json" || typeof answer.body !== "string") return answer;
  return { ...json(answer.status, { error: answer.body.trim() }), headers: answer.headers };
}

function notFound(): Answer {
  return text(404, "there is no such path");
}

function notAllowed(allow: string): Answer {
  return text(405, `the method must be ${allow.replace(", ", " or ")}`, { Allow: allow });
}

function routeList(actions: Actions): Answer {
  const reads = [...views.keys(), streamPath].sort().map(path => `GET ${path}`);
  const posts = [...actions.keys()].sort().map(path => `POST ${path}`);
  return text(200, ["The admin server of a gw gateway", "", ...reads, ...posts].join("\n"));
}
