// What becomes of a gateway of which a thread hangs, or does not learn that there is something to do.
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectTo, echo, missing, outcome, runProgram, startBackend, startGw } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const binary = new URL(
  `../../../packages/splice/prebuilt/${process.platform}-${process.arch}.node`,
  import.meta.url,
);
const impossible = process.platform !== "linux" || !existsSync(binary) || missing("cc");

/** Threads of the relay wait here; libuv has another call for that. They hang as long as there is the file $HANG. */
const hanging = `
  #define _GNU_SOURCE
  #include <dlfcn.h>
  #include <stdlib.h>
  #include <sys/epoll.h>
  #include <unistd.h>
  int epoll_wait(int fd, struct epoll_event *events, int count, int ms) {
    int (*real)(int, struct epoll_event *, int, int) = dlsym(RTLD_NEXT, "epoll_wait");
    int got = real(fd, events, count, ms);
    while (access(getenv("HANG"), F_OK) == 0) usleep(10000);
    return got;
  }`;

describe.skipIf(impossible)("a gateway of which a thread hangs", () => {
  let folder: string;
  let library: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gw-hanging-"));
    library = join(folder, "hanging.so");
    await writeFile(join(folder, "hanging.c"), hanging);
    const args = ["-shared", "-fPIC", join(folder, "hanging.c"), "-o", library, "-ldl"];
    expect(await runProgram("cc", args)).toMatchObject({ code: 0 });
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** A gateway with one thread, which hangs while a certain file exists. */
  async function start(name: string, backend: { readonly port: number }, ...flags: readonly string[]) {
    const hang = join(folder, name);
    const args = [`--endpoints=127.0.0.1:${backend.port}`, "--relay=native", "--relay-threads=1", ...flags];
    return { hang, gw: await startGw(args, { env: { LD_PRELOAD: library, HANG: hang } }) };
  }

  test("ends soon after the grace, with exit code 0 and one line, and resets what is open", async () => {
    await using backend = await startBackend(echo);
    const started = await start("stop", backend, "--shutdown-grace=100ms");
    await using gw = started.gw;
    const client = await connectTo(gw.port);
    client.write("hello");
    const ended = outcome(client);
    await backend.next();
    await writeFile(started.hang, "");
    gw.kill();
    await gw.logged(/draining/);
    const since = performance.now();
    expect(await gw.exit).toMatchObject({ code: 0 });
    expect(performance.now() - since).toBeLessThan(15_000);
    expect(await gw.logged(/stopped/)).toMatchObject({ cut: 1 });
    expect(await ended).toMatchObject({ end: "ECONNRESET" });
  });

  test("is logged once, and serves when it goes on", async () => {
    await using backend = await startBackend(echo);
    const started = await start("watch", backend);
    await using gw = started.gw;
    await writeFile(started.hang, "");
    const client = await connectTo(gw.port);
    client.end("hello");
    expect(await gw.logged(/accept failed/)).toMatchObject({
      reason: "1 of 1 threads of the native relay hang: their connections stand still",
    });
    await rm(started.hang);
    expect(await outcome(client)).toMatchObject({ received: Buffer.from("hello"), end: "end" });
    expect(gw.log.filter(({ msg }) => msg === "accept failed")).toHaveLength(1);
  });
});
