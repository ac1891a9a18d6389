import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, queue, runProgram } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Output, openOutput } from "./output.js";

/** What reads from a pipe; `lines` are those that ended, `torn` what came behind the last. */
class Reader {
  readonly #socket: Socket;
  #text = "";
  constructor(fifo: string) {
    const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.setEncoding("utf8").pause();
    this.#socket.on("data", text => {
      this.#text += text;
    });
  }
  get lines(): readonly string[] {
    return this.#text.split("\n").slice(0, -1);
  }
  async until(pattern: RegExp): Promise<void> {
    this.#socket.resume();
    while (!pattern.test(this.#text)) await once(this.#socket, "data");
  }
  async close(): Promise<void> {
    this.#socket.destroy();
    await once(this.#socket, "close");
  }
}

describe.skipIf(missing("mkfifo"))("an output to a pipe", () => {
  let folder: string;
  let pipes = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gw-output-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function pipe(): Promise<{
    readonly fifo: string;
    readonly reader: Reader;
    readonly output: Output;
    readonly errors: ReturnType<typeof queue<string>>;
    [Symbol.dispose](): void;
  }> {
    pipes += 1;
    const fifo = join(folder, `pipe${pipes}`);
    await runProgram("mkfifo", [fifo]);
    const reader = new Reader(fifo);
    const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    const errors = queue<string>();
    const output = openOutput(fd, { onError: ({ code }) => errors.put(code ?? "") });
    return { fifo, reader, output, errors, [Symbol.dispose]: () => closeSync(fd) };
  }

  const line = (number: number): string => `${number} ${"x".repeat(990)}\n`;

  test("that is not read drops what is too much, keeps lines whole, and reports how many it dropped", async () => {
    using it = await pipe();
    const count = 3_000;
    for (let number = 1; number <= count; number++) it.output.write(line(number));
    await it.reader.until(/lines were dropped\n/);
    await it.output.written();
    it.output.write("it goes on\n");
    await it.reader.until(/it goes on\n/);
    const { lines } = it.reader;
    const dropped = Number(/^gw: (\d+) lines were dropped$/.exec(lines.at(-2) ?? "")?.[1]);
    expect(dropped).toBeGreaterThan(1_000);
    expect(lines.slice(0, -2).map(one => `${one}\n`)).toEqual(
      Array.from({ length: count - dropped }, (_, index) => line(index + 1)),
    );
    await it.reader.close();
  });

  test("that was full is written again, again and again, in order", async () => {
    using it = await pipe();
    let number = 0;
    for (let round = 1; round <= 5; round++) {
      for (let more = 0; more < 200; more++) it.output.write(line(++number));
      it.output.write(`round ${round}\n`);
      await it.reader.until(new RegExp(`^round ${round}\n`, "m"));
    }
    expect(it.reader.lines.filter(one => one.endsWith("x"))).toHaveLength(number);
    await it.reader.close();
  });

  test("whose reader goes and comes is written again", async () => {
    using it = await pipe();
    it.output.write("before\n");
    await it.reader.until(/before\n/);
    await it.reader.close();
    it.output.write("while the pipe has no reader\n");
    expect(await it.errors.take()).toBe("EPIPE");
    const next = new Reader(it.fifo);
    await next.until(/^while the pipe has no reader\n$/);
    it.output.write("after\n");
    await next.until(/after\n$/);
    await next.close();
  });

  test("whose reader goes in the middle of a line lets the rest follow to the next reader", async () => {
    using it = await pipe();
    for (let number = 1; number <= 100; number++) it.output.write(line(number));
    await it.reader.close();
    expect(await it.errors.take()).toBe("EPIPE");
    const next = new Reader(it.fifo);
    it.output.write("end\n");
    await next.until(/end\n$/);
    // What had been written is the kernel's; of the rest each line is whole.
    for (const one of next.lines.slice(0, -1)) expect(one).toMatch(/^\d+ x{990}$/);
    await next.close();
  });
});

test("an output that is on a full disk reports each attempt, about one a second, and waits with what it has", async () => {
  const errors = queue<string>();
  const output = openOutput(openSync("/dev/full", "w"), { onError: ({ code }) => errors.put(code ?? "") });
  output.write("a line\n");
  expect(await errors.take()).toBe("ENOSPC");
  expect(await errors.take()).toBe("ENOSPC");
  expect(output.error).toMatchObject({ code: "ENOSPC" });
});
