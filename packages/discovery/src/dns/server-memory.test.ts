import { manualClock, queue } from "@gw/testing";
import { expect, test } from "vitest";
import { a, type Received, startFakeDns } from "../../test/fake-dns.js";
import { createDnsClient } from "./create-client.js";

const answer = ({ name, type, reply }: Received): void =>
  reply({ answers: type === "A" ? [a(name, "10.0.0.1")] : [] });

test("a server that was silent for one name does not delay other names", async () => {
  const clock = manualClock();
  const asked = queue<string>();
  await using dead = await startFakeDns(({ name, type }) => type === "A" && asked.put(name));
  await using alive = await startFakeDns(answer);
  const servers = [dead.address, alive.address];
  const client = createDnsClient({ servers, timeoutMs: 60_000, attempts: 2, clock });
  const abort = new AbortController();
  const first = client.addresses("infra0.example.com.", { signal: abort.signal });
  expect(await asked.take()).toBe("infra0.example.com");
  await clock.advance(150);
  abort.abort("its turn is over");
  await expect(first).rejects.toBe("its turn is over");
  const second = client.addresses("infra1.example.com.");
  expect(await asked.take()).toBe("infra1.example.com");
  await clock.advance(100);
  expect(await second).toMatchObject({ addresses: ["10.0.0.1"] });
});

test("a server that was silent and answers again is queried first, as before", async () => {
  const clock = manualClock();
  const asked = queue<string>();
  let silent = true;
  await using first = await startFakeDns(received => {
    if (received.type === "A") asked.put(received.name);
    if (!silent) answer(received);
  });
  await using other = await startFakeDns(({ name, type, reply }) =>
    reply({ answers: type === "A" ? [a(name, "10.0.0.2")] : [] }),
  );
  const servers = [first.address, other.address];
  const client = createDnsClient({ servers, timeoutMs: 60_000, attempts: 2, clock });
  const before = client.addresses("infra0.example.com.");
  await asked.take();
  await clock.advance(60_000);
  expect(await before).toMatchObject({ addresses: ["10.0.0.2"] });
  silent = false;
  for (const name of ["infra1.example.com.", "infra2.example.com."])
    expect(await client.addresses(name)).toMatchObject({ addresses: ["10.0.0.1"] });
});
