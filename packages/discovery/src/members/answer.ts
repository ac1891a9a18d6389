import { type Endpoint, GatewayError, messageOf, quote } from "@gw/interface";
import * as z from "zod";
import { parseEndpoint } from "../parse.js";
import type { Answer } from "./post.js";

/** A member as the cluster tells of it. */
export interface Member {
  readonly name: string;
  /** Its http(s) client URLs, as they stand; none before it has started. */
  readonly endpoints: readonly Endpoint[];
  readonly learner: boolean;
}

/** etcd advises at most seven. The limits keep a server that lies from having us connect everywhere. */
const mostMembers = 100;
/** Of one member in an answer, which is 1 MiB at most. */
const mostListed = 10_000;
/** Of all members, that are used. */
const mostUrls = 64;

/** etcdserverpb.MemberListResponse in JSON, as etcd 3.4 to 3.6 write it. */
const listAnswer = z.object({
  members: z
    .array(
      z.object({
        name: z.string().default(""),
        clientURLs: z.array(z.string().max(2_048)).max(mostListed).default([]),
        isLearner: z.boolean().default(false),
      }),
    )
    .min(1)
    .max(mostMembers),
});

const tokenAnswer = z.object({
  // Part of a header, so nothing else may be in it.
  token: z
    .string()
    .max(16_384)
    .regex(/^[\x21-\x7e]+$/),
});

const errorAnswer = z.object({
  error: z.string().optional(),
  message: z.string().optional(),
  code: z.number().optional(),
});

/** What etcd refuses with, in gRPC's codes. */
export interface Refusal {
  readonly code: number | undefined;
  readonly says: string;
}

/** What an answer tells. */
export interface ListedMembers {
  readonly members: readonly Member[];
  /** Client URLs beyond the first 64 of all members, and link-local ones without an interface; as they stand. */
  readonly leftOut: readonly string[];
}

/**
 * The members that an answer tells of. Of their client URLs 64 are kept: the first of each member, then the second of
 * each, and so on.
 *
 * @throws {GatewayError} if it tells of none, or is no such answer
 */
export function membersIn(answer: Answer, from: string): ListedMembers {
  const { members } = parse(listAnswer, answer, `${from}: its answer is no list of members`);
  const listed = members.map(({ clientURLs }) => clientURLs.filter(url => !/^unixs?:/i.test(url)));
  const urls = listed.map(some => some.filter(url => !withoutInterface.test(url)));
  const kept = keptOf(urls.map(({ length }) => length));
  return {
    members: members.map(({ name, isLearner }, index) => ({
      name,
      learner: isLearner,
      endpoints: (urls[index] ?? []).slice(0, kept[index]).map(url => endpointOf(url, name, from)),
    })),
    leftOut: [
      ...urls.flatMap((some, index) => some.slice(kept[index])),
      ...listed.flat().filter(url => withoutInterface.test(url)),
    ],
  };
}

/** A URL of a link-local address (fe80::/10) that nobody can connect to, since it says no interface. */
const withoutInterface = /^https?:\/\/\[fe[89ab][0-9a-f]:[0-9a-f:.]*\]/i;

/** How many of each are kept, where there are so many of each. */
function keptOf(counts: readonly number[]): readonly number[] {
  const kept = counts.map(() => 0);
  let left = mostUrls;
  for (let before = Infinity; left > 0 && left < before; ) {
    before = left;
    for (const [index, count] of counts.entries()) {
      if (left === 0 || kept[index] === count) continue;
      kept[index] = (kept[index] ?? 0) + 1;
      left -= 1;
    }
  }
  return kept;
}

/** The token that an answer to a log-in holds. @throws {GatewayError} which never holds a part of the answer */
export function tokenIn(answer: Answer, from: string): string {
  return parse(tokenAnswer, answer, `${from}: its answer to a log-in is no token`).token;
}

/** Why etcd refused; undefined where it did not. */
export function refusalIn({ status, text }: Answer): Refusal | undefined {
  if (status === 200) return undefined;
  const { error, message, code } = errorAnswer.safeParse(json(text)).data ?? {};
  return { code, says: error ?? message ?? "" };
}

function endpointOf(url: string, name: string, from: string): Endpoint {
  try {
    if (/^https?:\/\//i.test(url)) return parseEndpoint(url);
    throw new GatewayError("invalid-endpoint", `${quote(url)} is neither http nor https`);
  } catch (error) {
    const fault = error instanceof GatewayError ? error.detail : messageOf(error);
    throw new GatewayError("unknown", `${from}: member ${quote(name)} has a wrong client URL: ${fault}`);
  }
}

function parse<Shape extends z.ZodType>(shape: Shape, { text }: Answer, fault: string): z.infer<Shape> {
  const { data, error } = shape.safeParse(json(text));
  if (!error) return data;
  const where = error.issues[0]?.path.join(".");
  throw new GatewayError("unknown", `${fault}${where ? `: ${where} is not as it must be` : ""}`);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
