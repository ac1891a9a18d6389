import type { Address } from "@gw/interface";

/** A member of a cluster that the demo runs. */
export interface Member {
  /** `member 1`. */
  readonly name: string;
  /** Where it takes clients; the same after each restart. */
  readonly address: Address;
  /** Whether it was started and has neither been stopped nor ended by itself since. */
  readonly running: boolean;
  /**
   * Resolves when it serves clients. Rejects when it cannot, or when `signal` is aborted, and then it is not
   * running.
   */
  start(signal: AbortSignal): Promise<void>;
  /** Ends it at once, as `kill -9` does: its connections are reset. Resolves when it is gone. */
  stop(): Promise<void>;
}

/** Three members that run when the demo gets them, and what one has to know about them. */
export interface Cluster {
  readonly members: readonly Member[];
  /** What the members are, in a sentence. */
  readonly description: string;
  /** Commands for a shell, to try against the gateway at `address`, each with what it does. */
  commands(address: Address): readonly (readonly [what: string, command: string])[];
  /** Ends all members and removes what they have left. Called once. */
  close(): Promise<void>;
}
