import {
  type Clock,
  createOutage,
  createReportOnce,
  type Endpoint,
  formatAddress,
  GatewayError,
  notify,
  type Observer,
} from "@gw/interface";
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
  const reported = createReportOnce();
  const outage = createOutage(clock);

  return ({ offered, held, verdictOn }) => {
    const checked = offered.map(endpoint => ({ endpoint, verdict: verdictOn(endpoint) }));
    const refused = checked.flatMap(({ endpoint, verdict }) =>
      verdict?.error && !verdict.usable ? [{ endpoint, error: verdict.error }] : [],
    );
    reported.retain(refused.map(({ endpoint }) => formatAddress(endpoint)));
    for (const { endpoint, error } of refused)
      if (reported.isNew(formatAddress(endpoint), error.detail))
        notify(observer, "endpointRejected", { source, endpoint, error });

    if (checked.some(({ verdict }) => !verdict || verdict.usable)) {
      const ended = outage.succeeded();
      if (ended) notify(observer, "discoveryRecovered", { source, ...ended });
      return;
    }
    if (offered.length === 0 || refused.length < offered.length) return;
    const error = summary(refused.map(({ error }) => error));
    const isNew = outage.failed(error.detail);
    if (!isNew) return;
    const { ageMs } = isNew;
    notify(observer, "discoveryFailed", {
      source,
      error,
      ...(held > 0 && ageMs !== undefined && { ageMs }),
    });
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
