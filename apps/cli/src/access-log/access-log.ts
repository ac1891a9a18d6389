import { constants, openSync } from "node:fs";
import { isatty } from "node:tty";
import { getSystemErrorMap } from "node:util";
import { type Clock, createOutage, GatewayError, type Observer, quote, systemClock } from "@gw/interface";
import { formatDuration } from "../flags/duration.js";
import type { EventLog } from "../log/event-log.js";
import type { LogFormat } from "../log/log.js";
import { type Output, openOutput } from "../output/output.js";
import { nonBlocking } from "../output/stdio.js";
import { type AccessRecord, recordFormat } from "./record.js";
import { createAccessRecorder } from "./recorder.js";

/** The log of connections: a record for each, written when it has ended. */
export interface AccessLog {
  readonly observer: Observer;
  /** Opens the file of this name again, after another program has given the former one another name. */
  reopen(): void;
  /** Writes what is left. Resolves when it is written, or after a second. */
  close(): Promise<void>;
}

/** The values of `--access-log` that stand for standard output. */
const standardOutput: readonly string[] = ["-", "stdout"];
/** Records that were dropped are reported this often at most while none can be written, in milliseconds. */
const droppedReportMs = 10_000;
/** How long the end of the process waits for the last records to be written, in milliseconds. */
const finalWriteMs = 1_000;

interface AccessLogOptions {
  /** @default `text` where the file is a terminal */
  readonly format?: LogFormat | undefined;
  /** Where problems with the file are reported. None of them ends the gateway. */
  readonly log: EventLog;
  readonly clock?: Clock;
}

/**
 * Opens the access log `file` at its end, or standard output.
 *
 * Records are gathered, and written in the background: nothing waits for the reader of the file. What cannot be written is
 * kept, up to the limit of {@link openOutput}; what is beyond is dropped, and counted in the log.
 *
 * @throws {GatewayError} `invalid-option` if the file cannot be opened
 */
export function openAccessLog(
  file: string,
  { format, log, clock = systemClock }: AccessLogOptions,
): AccessLog {
  const isStdout = standardOutput.includes(file);
  const fd = isStdout ? nonBlocking(1) : openFirst(file);
  const outage = createOutage(clock);
  const output = openOutput(fd, {
    onError(error) {
      const reason = explained(error);
      if (outage.failed(reason)) log.write("access log not written", { file, reason });
    },
    onWritten() {
      const ended = outage.succeeded();
      if (ended) log.write("access log written again", { file, failedFor: formatDuration(ended.failedMs) });
    },
  });
  const reportDropped = droppedReports(output, dropped =>
    log.write("access log records dropped", { file, dropped }),
  );
  const lineOf = recordFormat(format ?? (isatty(fd) ? "text" : "json"));
  const write = (records: readonly AccessRecord[]): void => {
    for (const record of records) output.write(lineOf(record));
    reportDropped(clock.now());
  };
  const { observer, flush } = createAccessRecorder(write, clock);
  // Also where an exception ends the process.
  const onExit = (): void => {
    flush();
    output.writeNow();
  };
  process.on("exit", onExit);
  return {
    observer,
    reopen() {
      if (isStdout) return;
      flush();
      try {
        output.moveTo(openFile(file));
        log.write("access log reopened", { file });
      } catch (error) {
        log.write("access log not reopened", { file, reason: explained(error) });
      }
    },
    async close() {
      flush();
      const timer = new AbortController();
      await Promise.race([
        output.written(),
        new Promise<void>(resolve => {
          const cancel = clock.after(finalWriteMs, resolve);
          timer.signal.addEventListener("abort", cancel);
        }),
      ]);
      timer.abort();
      reportDropped(Infinity);
      process.off("exit", onExit);
    },
  };
}

/** Reports the texts that `output` dropped: when it can write again, and now and then while it cannot. */
function droppedReports(output: Output, report: (dropped: number) => void): (nowMs: number) => void {
  let reported = 0;
  let reportedAtMs = -Infinity;
  output.droppedNotice = dropped => {
    if (dropped > reported) report(dropped - reported);
    reported = 0;
    return "";
  };
  return nowMs => {
    const dropped = output.dropped - reported;
    if (dropped <= 0 || nowMs - reportedAtMs < droppedReportMs) return;
    reported = output.dropped;
    reportedAtMs = nowMs;
    report(dropped);
  };
}

function openFirst(file: string): number {
  try {
    return openFile(file);
  } catch (error) {
    throw new GatewayError(
      "invalid-option",
      `--access-log ${quote(file)} cannot be opened: ${explained(error)}; give a file that gw may write, or - for standard output`,
    );
  }
}

/** Opens a file to append to it. Its owner may read and write it, its group may read it: it has addresses of clients. */
function openFile(file: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
  // A pipe without a reader is an error, rather than a wait for one.
  return openSync(file, O_WRONLY | O_APPEND | O_CREAT | (O_NONBLOCK ?? 0) | (O_NOCTTY ?? 0), 0o640);
}

/** The system's sentence for an error, with its name. */
function explained(error: unknown): string {
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : Number.NaN;
  const [name, sentence] = getSystemErrorMap().get(errno) ?? [];
  if (name === "ENXIO") return "no program reads the pipe (ENXIO)";
  return name === undefined ? GatewayError.from(error, "access log").detail : `${sentence} (${name})`;
}
