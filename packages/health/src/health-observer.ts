import { type Endpoint, messageOf, type Verdict } from "@gw/interface";

/** Sees what health checks do, and changes nothing. */
export interface HealthObserver {
  /** A look at an endpoint is over; it took `tookMs`. */
  checked?(event: { readonly endpoint: Endpoint; readonly verdict: Verdict; readonly tookMs: number }): void;
  /**
   * An endpoint that is well is looked at from now on at this level, for the reason that `note` gives, if any. Said
   * at first, and when it has changed.
   */
  checkTypeChanged?(event: {
    readonly endpoint: Endpoint;
    readonly check: string;
    readonly note?: string;
  }): void;
}

/** Calls one method. What it throws becomes a process warning. */
export function tell<Name extends keyof HealthObserver>(
  observer: HealthObserver | undefined,
  name: Name,
  event: Parameters<NonNullable<HealthObserver[Name]>>[0],
): void {
  try {
    (observer?.[name] as ((event: unknown) => void) | undefined)?.call(observer, event);
  } catch (error) {
    process.emitWarning(`gw: the observer's ${name} threw: ${messageOf(error)}`);
  }
}
