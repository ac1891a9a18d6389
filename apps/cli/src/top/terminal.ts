import { writeSync } from "node:fs";
import type { WriteStream } from "node:tty";
import { rawStdout } from "../output/stdio.js";

/** Alternate screen, no cursor, no wrapping of lines that a terminal shows wider than expected. */
const enter = "\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[H\u001b[2J";
const leave = "\u001b[?7h\u001b[?25h\u001b[?1049l";
/** A process that was to be stopped and still runs after this time was not stopped, in milliseconds. */
const notStoppedMs = 200;
/** Where a terminal does not say its size. */
const [defaultWidth, defaultHeight] = [80, 24] as const;

/** A terminal whose screen is ours. */
export interface Terminal {
  readonly width: number;
  readonly height: number;
  /** Shows these lines. Where the terminal takes nothing, only the newest are kept. */
  draw(lines: readonly string[]): void;
  /** Gives the terminal to the shell until the process is continued. */
  suspend(): void;
  /** Restores the terminal. */
  close(): void;
}

/** What the terminal reports. */
export interface TerminalEvents {
  onInput(text: string): void;
  /** The size has changed, or the screen is ours again. */
  onRedraw(): void;
  /** Nothing can be read any more: it was closed. */
  onEnd(): void;
}

/** Takes the screen of the terminal at standard input and output. It is restored also when the process ends otherwise. */
export function openTerminal(events: TerminalEvents): Terminal {
  const { stdin } = process;
  const stdout = process.stdout as WriteStream;
  const output = rawStdout();
  let ours = false;
  let pending: string | undefined;
  let writing = false;

  const setRaw = (raw: boolean): void => {
    try {
      if (stdin.isTTY) stdin.setRawMode(raw);
    } catch {
      // The terminal has gone.
    }
  };
  const take = (): void => {
    if (ours) return;
    ours = true;
    setRaw(true);
    output.write(enter);
    events.onRedraw();
  };
  const give = (): void => {
    if (!ours) return;
    ours = false;
    pending = undefined;
    setRaw(false);
  };
  const atExit = (): void => {
    if (!ours) return;
    give();
    try {
      writeSync(1, leave);
    } catch {
      // The terminal has gone.
    }
  };
  const flush = (): void => {
    if (writing || pending === undefined) return;
    const text = pending;
    pending = undefined;
    writing = true;
    output.write(text);
    void output.written().then(() => {
      writing = false;
      flush();
    });
  };
  const suspend = (): void => {
    if (!ours) return;
    give();
    output.write(leave);
    void output.written().then(() => {
      process.off("SIGTSTP", suspend);
      // All programs of this job, as the terminal would do it.
      process.kill(0, "SIGTSTP");
      // Where no shell could continue it, the system does not stop it.
      setTimeout(resume, notStoppedMs);
    });
  };
  const resume = (): void => {
    if (closed) return;
    process.off("SIGTSTP", suspend);
    process.on("SIGTSTP", suspend);
    if (ours) {
      // Stopped by SIGSTOP: the shell has changed the terminal.
      setRaw(true);
      output.write(enter);
      events.onRedraw();
    } else take();
  };
  const onData = (data: string): void => events.onInput(data);
  const onResize = (): void => events.onRedraw();
  let closed = false;

  process.on("exit", atExit);
  process.on("SIGCONT", resume);
  process.on("SIGTSTP", suspend);
  stdout.on("resize", onResize);
  stdout.on("error", () => events.onEnd());
  if (stdin.isTTY) {
    stdin.setEncoding("utf8");
    stdin.on("data", onData);
    stdin.on("end", () => events.onEnd());
    stdin.on("error", () => events.onEnd());
  }
  take();
  return {
    get width() {
      return stdout.columns || defaultWidth;
    },
    get height() {
      return stdout.rows || defaultHeight;
    },
    draw(lines) {
      if (!ours) return;
      pending = `\u001b[H${lines.map(line => `${line}\u001b[K`).join("\r\n")}\u001b[J`;
      flush();
    },
    suspend,
    close() {
      if (closed) return;
      closed = true;
      const was = ours;
      give();
      if (was) output.write(leave);
      process.off("SIGCONT", resume);
      process.off("SIGTSTP", suspend);
      process.off("exit", atExit);
      stdout.off("resize", onResize);
      stdin.off("data", onData);
      stdin.pause();
    },
  };
}
