import type { EndpointActivity } from "@gw/interface";

/**
 * An endpoint that sends fewer bytes than this on each of its open connections, in each `silentPerMs`, is silent: these may
 * be keepalive answers alone, which a server sends though it can serve nothing. HTTP/2 PING frames have 17 bytes, 39 with
 * TLS, and etcd accepts no more than one in 5 s from a client.
 */
const silentBytes = 96;
const silentPerMs = 10_000;

/** If a client waits for this long, in milliseconds, answers whose time is unknown are no evidence. */
const longWaitMs = 1_000;

/** What the clients of one endpoint show. Times are in milliseconds on the clock of the checks. */
export class ClientEvidence {
  /** When the endpoint last answered, as far as that makes a check unnecessary. */
  answeredAt: number = -Infinity;
  /** When a client last stalled; undefined if no client waits any more. */
  stalledAt: number | undefined;
  #wasSilent = true;
  #bytes = 0;
  #evaluatedAt = -Infinity;
  #seenBytes = 0;

  /**
   * Whether the endpoint has served clients since the last evaluation, and none waits for long. Answers that follow a
   * silence are no evidence yet: a member that has lost its leader ends idle watches, and answers with errors from then on.
   */
  evaluate({ bytes, connections, answeredMs, waitingMs }: EndpointActivity, now: number): void {
    const sent = bytes - this.#bytes;
    const elapsedMs = now - this.#evaluatedAt;
    this.#bytes = bytes;
    this.#evaluatedAt = now;
    const wasSilent = this.#wasSilent;
    this.#wasSilent = sent < silentBytes * Math.max(1, connections) * Math.max(1, elapsedMs / silentPerMs);
    if (wasSilent || this.#wasSilent) return;
    if (answeredMs < Infinity) this.answeredAt = now - answeredMs;
    else if (waitingMs < longWaitMs) this.answeredAt = now;
  }

  /** Whether the endpoint has sent anything since the last such question. */
  hasSent({ bytes }: EndpointActivity): boolean {
    const before = this.#seenBytes;
    this.#seenBytes = bytes;
    return bytes > before;
  }

  /** Whether the client that stalled last still waits, or one that began to wait before it. */
  isStalled({ waitingMs }: EndpointActivity, now: number): boolean {
    return this.stalledAt !== undefined && waitingMs >= now - this.stalledAt;
  }
}
