import { write } from "node:fs";

/** If more characters than this are pending, further text is dropped and counted. */
const maxPending = 1024 * 1024;
/** At most this many characters are written at once. */
const maxWrite = 64 * 1024;
/** How long to wait until a pipe that is full is tried again, in milliseconds: at first, and at most. */
const [firstRetryMs, lastRetryMs] = [10, 1_000] as const;

/** Where lines of text go. */
export interface Output {
  /** Queues whole lines. Never waits; where too much waits already, the text is dropped. */
  write(text: string): void;
  /** Resolves when all that was queued is written. */
  written(): Promise<void>;
  /** Why the newest attempt to write failed; undefined where it did not, or where a pipe is merely full. */
  readonly error: NodeJS.ErrnoException | undefined;
  /** What to write, when it works again, about the texts that were dropped. */
  droppedNotice: (texts: number) => string;
}

/**
 * Writes text to a file descriptor, in order, in the background.
 *
 * No error is final: a pipe may be read from again, a disk may have room again, a terminal may come back. What a failed
 * attempt was to write is kept and tried again, at least once a second; of a line that was written in part the rest
 * follows. What is beyond {@link maxPending} meanwhile is dropped, and the count is written when it works again.
 *
 * @param onError called for each attempt that fails, except where a pipe is merely full
 */
export function openOutput(fd: number, onError: (error: NodeJS.ErrnoException) => void = () => {}): Output {
  return new FileOutput(fd, onError);
}

class FileOutput implements Output {
  readonly #fd: number;
  readonly #onError: (error: NodeJS.ErrnoException) => void;
  #queue: string[] = [];
  #pending = 0;
  #dropped = 0;
  /** What is to be written before anything else: what the newest attempt has not written. */
  #rest: Buffer | undefined;
  #busy = false;
  #retryMs: number = firstRetryMs;
  #waiting: (() => void)[] = [];
  error: NodeJS.ErrnoException | undefined;
  droppedNotice = (texts: number): string => `gw: ${texts} lines were dropped\n`;

  constructor(fd: number, onError: (error: NodeJS.ErrnoException) => void) {
    this.#fd = fd;
    this.#onError = onError;
  }

  write(text: string): void {
    if (this.#pending > maxPending) {
      this.#dropped += 1;
      return;
    }
    this.#noteDropped();
    this.#add(text);
    this.#next();
  }

  written(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(resolve);
      this.#next();
    });
  }

  #noteDropped(): void {
    if (this.#dropped > 0) this.#add(this.droppedNotice(this.#dropped));
    this.#dropped = 0;
  }

  #add(text: string): void {
    this.#queue.push(text);
    this.#pending += text.length;
  }

  #next(): void {
    if (this.#busy) return;
    if (!this.#rest && this.#queue.length === 0) this.#noteDropped();
    const chunk = this.#rest ?? this.#take();
    if (!chunk) {
      const done = this.#waiting;
      this.#waiting = [];
      for (const resolve of done) resolve();
      return;
    }
    this.#busy = true;
    write(this.#fd, chunk, 0, chunk.length, null, (error, written) => {
      this.#rest = error ? chunk : chunk.subarray(written);
      if (this.#rest.length === 0) this.#rest = undefined;
      if (!error && written > 0) {
        this.error = undefined;
        this.#retryMs = firstRetryMs;
        this.#again();
      } else this.#failed(error ?? undefined);
    });
  }

  /** As many whole texts as make one write. */
  #take(): Buffer | undefined {
    let length = 0;
    let count = 0;
    for (const text of this.#queue) {
      if (count > 0 && length + text.length > maxWrite) break;
      length += text.length;
      count += 1;
    }
    if (count === 0) return undefined;
    this.#pending -= length;
    return Buffer.from(this.#queue.splice(0, count).join(""));
  }

  #failed(error: NodeJS.ErrnoException | undefined): void {
    const full = error === undefined || error.code === "EAGAIN" || error.code === "EINTR";
    this.error = full ? undefined : error;
    if (error && !full) this.#onError(error);
    // The reader of a pipe takes a moment; what else fails takes longer to mend.
    const ms = full ? this.#retryMs : lastRetryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
    setTimeout(() => this.#again(), ms).unref();
  }

  #again(): void {
    this.#busy = false;
    this.#next();
  }
}
