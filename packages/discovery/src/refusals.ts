import { type Clock, type Endpoint, formatAddress, GatewayError, notify, type Observer } from "@gw/interface";
import type { RepeatedCheck } from "./checking.js";

/** What is known after a verdict, or a new set. */
export interface Standing {
  readonly offered: readonly Endpoint[];
  /** How many endpoints are in use now. */
  readonly held: number;
  /** Absent for those that are not checked. */
  readonly verdictOn: (endpoint: Endpoint) => RepeatedCheck | undefined;
}

/** Tells the observer what is refused and why, each thing once while it is so. */
export function refusals(
  source: string,
  observer: Observer | undefined,
  clock: Clock,
): (standing: Standing) => void {
  const told = new Map<string, string>();
  let lastGood: number | undefined;
  let failing: { readonly since: number; readonly detail: string } | undefined;

  const tellOf = (endpoint: Endpoint, error: GatewayError): void => {
    const name = formatAddress(endpoint);
    if (told.get(name) === error.detail) return;
    told.set(name, error.detail);
    notify(observer, "endpointRefused", { source, endpoint, error });
  };
  const recovered = (): void => {
    lastGood = clock.now();
    if (failing) notify(observer, "lookupRecovered", { source, failedMs: lastGood - failing.since });
    failing = undefined;
  };

  return ({ offered, held, verdictOn }) => {
    const checked = offered.map(endpoint => ({ endpoint, verdict: verdictOn(endpoint) }));
    const refused = checked.flatMap(({ endpoint, verdict }) =>
      verdict?.error && !verdict.usable ? [{ endpoint, error: verdict.error }] : [],
    );
    const names = new Set(refused.map(({ endpoint }) => formatAddress(endpoint)));
    for (const name of told.keys()) if (!names.has(name)) told.delete(name);
    for (const { endpoint, error } of refused) tellOf(endpoint, error);

    if (checked.some(({ verdict }) => !verdict || verdict.usable)) return recovered();
    if (offered.length === 0 || refused.length < offered.length) return;
    const error = summary(refused.map(({ error }) => error));
    const since = failing?.since ?? clock.now();
    if (failing?.detail !== error.detail)
      notify(observer, "lookupFailed", {
        source,
        error,
        ...(held > 0 && lastGood !== undefined ? { ageMs: clock.now() - lastGood } : {}),
      });
    failing = { since, detail: error.detail };
  };
}

/** How many reasons a summary has room for. */
const most = 3;

function summary(errors: readonly GatewayError[]): GatewayError {
  const code = errors.find(error => error.code !== "untrusted")?.code ?? "untrusted";
  const reasons = errors.slice(0, most).map(({ detail }) => detail);
  const more = errors.length > most ? `; and ${errors.length - most} more` : "";
  const detail = `no endpoint of ${errors.length} passes: ${reasons.join("; ")}${more}`;
  return new GatewayError(code, detail, { cause: errors[0] });
}
