import { isatty } from "node:tty";
import { terminalClosed } from "../process/end.js";
import { onHangup } from "../process/events.js";

/** Signals that ask to end. */
type EndSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Passes on signals that ask this process to end, which they do not. */
export interface Interruptions {
  /** The first. */
  readonly first: EndSignal | undefined;
  /** Sets what is called from now on. */
  handle(handler: (signal: EndSignal) => void): void;
  /** Gives the signals back to their default. */
  dispose(): void;
}

/** Listens from now on. */
export function interruptions(): Interruptions {
  let handler = (_: EndSignal): void => {};
  let first: EndSignal | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    first ??= signal as EndSignal;
    if (signal === "SIGHUP") terminalClosed();
    handler(signal as EndSignal);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  onHangup(onSignal);
  return {
    get first() {
      return first;
    },
    handle(next) {
      handler = next;
    },
    dispose() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
      onHangup(() => {});
    },
  };
}

/** Whether a terminal sends SIGINT to the programs of this process itself. */
export function terminalInterrupts(): boolean {
  return [0, 1, 2].some(isatty);
}
