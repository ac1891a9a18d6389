import { quote } from "@gw/interface";
import type * as z from "zod";

type Issue = z.core.$ZodIssue;

/** What a schema has against a value, and where in it. */
export interface Complaint {
  readonly path: readonly PropertyKey[];
  readonly says: string;
}

/** The first of a schema's issues in words; where there are alternatives, what is wrong with the one meant. */
export function complaintOf(issues: readonly Issue[], value: unknown): Complaint {
  const [issue] = issues;
  if (!issue) return { path: [], says: "is not valid" };
  const { path } = issue;
  if (issue.code === "invalid_union") {
    // An alternative that does not even have the value's type was not meant.
    const meant = issue.errors.find(([first]) => first?.code !== "invalid_type" || first.path.length > 0);
    if (!meant) return { path, says: path.length > 0 ? notAnEndpoint : value === null ? nothing : notAList };
    const { path: within, says } = complaintOf(meant, at(value, path));
    return { path: [...path, ...within], says };
  }
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    return { path: [...path, key], says: `${quote(key)} is not a known key` };
  }
  const key = path.at(-1);
  const name = typeof key === "string" ? key : "this";
  if (at(value, path) === undefined) return { path, says: `${name} is missing` };
  return { path, says: `${name} ${fault(issue)}` };
}

const nothing = "there are no endpoints in it";
const notAList = 'this is not a list of endpoints, nor an object { "endpoints": [...] }';
const notAnEndpoint = 'this is not an endpoint, "host:port" or { "endpoint": "host:port" }';

function fault(issue: Issue): string {
  if (issue.code === "too_small" && issue.origin === "string") return "is empty";
  if (issue.code === "too_small" && issue.origin === "array") return "has no endpoint in it";
  if (issue.code === "invalid_type" && issue.expected === "string") return "is not text";
  if (issue.code === "invalid_type" && issue.expected === "array") return "is not a list";
  return "is not a whole number from 0 to 65535";
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) =>
      typeof inner === "object" && inner !== null ? (inner as Record<PropertyKey, unknown>)[step] : undefined,
    value,
  );
}
