import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { Address, DialStock, PlannedDial } from "@gw/interface";
import type { Backend } from "../test-support/backend.js";
import type { Harness, RelayCase } from "../test-support/harness.js";
import { Mismatch } from "../test-support/waitable.js";

const used = "A client is dialled for by the oldest dial of the stock, without asking.";
const back = "No client that is accepted after takeBack() is dialled for by what it returned.";
const kept =
  "A client that has taken a dial is reported, also after takeBack() and after its listener was closed.";

/** Dials that are decided before their clients come. For relays that have `createStock`. */
export const stockCases: readonly RelayCase[] = [
  {
    name: "dials for a client by the stock, and reports both",
    contract: used,
    async check(harness) {
      const stock = stockOf(harness);
      const [listener, backend] = [await harness.listen({ stock }), await harness.backend()];
      const dial = dialTo(backend.address);
      add(stock, [dial]);
      const client = harness.client(listener.address);
      client.end("early");
      const server = await backend.next();
      const accepted = await listener.acceptedFrom(client.port);
      if (accepted.stocked !== dial) throw new Mismatch("onClient() without the dial");
      await accepted.isConnected(backend.address);
      if (!(Number(accepted.tookMs) >= 0)) throw new Mismatch(`connected() after ${accepted.tookMs} ms`);
      await server.getsEnd("early");
      server.end("answer");
      await client.getsEnd("answer");
      await accepted.ends("finished");
    },
  },
  {
    name: "uses the dials of a stock in their order, on all of its listeners, and asks when it is empty",
    contract: used,
    async check(harness) {
      const stock = stockOf(harness);
      const listeners = [await harness.listen({ stock }), await harness.listen({ stock })] as const;
      const backends = [await harness.backend(), await harness.backend()] as const;
      const dials = Array.from({ length: 20 }, (_, index) => dialTo(backends[index % 3 ? 0 : 1].address));
      add(stock, dials);
      for (const [index, dial] of dials.entries()) {
        const { accepted } = await harness.accept(listeners[index % 2 ? 0 : 1]);
        if (accepted.stocked !== dial)
          throw new Mismatch(`client ${index} got dial ${dials.indexOf(accepted.stocked as PlannedDial)}`);
        await accepted.isConnected(dial.addresses[0]);
      }
      const { accepted } = await harness.accept(listeners[0]);
      if (accepted.stocked) throw new Mismatch("a dial for a client when the stock was empty");
      accepted.dial(backends[0].address);
      await accepted.isConnected();
    },
  },
  {
    name: "gives the oldest dial of a stock out, and all others back",
    contract: "take() removes the oldest dial of the stock, takeBack() all, in their order.",
    async check(harness) {
      const stock = stockOf(harness);
      const [listener, backend] = [await harness.listen({ stock }), await harness.backend()];
      for (let round = 0; round < 3; round++) {
        const dials = Array.from({ length: 10 }, () => dialTo(backend.address));
        add(stock, dials);
        const [first, second, ...rest] = dials;
        const { accepted } = await harness.accept(listener);
        const seen = [accepted.stocked, stock.take(), ...stock.takeBack()];
        if (seen.length !== 10 || seen.some((dial, index) => dial !== [first, second, ...rest][index]))
          throw new Mismatch(
            `dials ${seen.map(dial => dials.indexOf(dial as PlannedDial))}, in place of 0 to 9`,
          );
        if (stock.take() || stock.takeBack().length > 0) throw new Mismatch("a dial of an empty stock");
        const asked = await harness.accept(listener);
        if (asked.accepted.stocked) throw new Mismatch("a dial for a client when all had been taken back");
        asked.accepted.close();
        await asked.accepted.ends("closed");
      }
    },
  },
  {
    name: "dials several addresses of a dial of the stock",
    contract: used,
    async check(harness) {
      const stock = stockOf(harness);
      const [listener, backend] = [await harness.listen({ stock }), await harness.backend()];
      add(stock, [{ addresses: [await harness.refusingAddress(), backend.address], timeoutMs: 10_000 }]);
      const { client, accepted } = await harness.accept(listener);
      await accepted.isConnected(backend.address);
      client.send("hello");
      await (await backend.next()).gets("hello");
    },
  },
  {
    name: "reports that a dial of the stock failed, and dials again for the same client",
    contract:
      "After a dial that failed the client waits for another, for which connected() has no time from accept.",
    async check(harness) {
      const stock = stockOf(harness);
      const [listener, backend] = [await harness.listen({ stock }), await harness.backend()];
      add(stock, [
        dialTo(await harness.refusingAddress()),
        { ...dialTo(await harness.blackHole()), timeoutMs: 300 },
      ]);
      for (const code of ["refused", "timed-out"] as const) {
        const { client, accepted } = await harness.accept(listener);
        client.send("early");
        await accepted.dialFails(code);
        accepted.dial(backend.address);
        await accepted.isConnected();
        if (accepted.tookMs !== undefined)
          throw new Mismatch("connected() with the time of a dial that is not of the stock");
        await (await backend.next()).gets("early");
      }
    },
  },
  {
    name: "gives orders to clients that have taken dials, at any time",
    contract: "A client that has taken a dial can be refused, closed, aborted, and dialled for again.",
    async check(harness) {
      const stock = stockOf(harness);
      let refusing = false;
      const listener = await harness.listen({ stock, onClient: () => !refusing });
      const [wrong, right] = [await harness.backend(), await harness.backend()];
      for (let round = 0; round < 40; round++) {
        refusing = round % 8 === 7;
        add(stock, [dialTo(round % 3 ? wrong.address : await harness.blackHole())]);
        const client = harness.client(listener.address);
        if (refusing) {
          await client.getsReset();
          continue;
        }
        if (!(await client.connects())) throw new Mismatch(`${client}`);
        const accepted = await listener.acceptedFrom(client.port);
        for (let turn = 0; turn < round % 5; turn++) await eventLoopTurn();
        if (round % 4 === 3) {
          accepted.abort();
          while (accepted.pending > 1) await accepted.isConnected();
          await accepted.until(
            () => accepted.end,
            () => `ended() is missing (so far: ${accepted})`,
          );
          await client.noticesReset();
          continue;
        }
        if (accepted.pending > 0) {
          await accepted.isConnected(wrong.address);
          continue;
        }
        accepted.cancelDial();
        accepted.dial(right.address);
        await accepted.isConnected(right.address);
        client.send("to the right one");
        await (await right.next()).gets("to the right one");
      }
    },
  },
  {
    name: "takes dials back while clients come, and dials for none of them by these",
    contract: back,
    check: raceForDials,
  },
  {
    name: "reports clients that have taken dials after their listener was closed, and keeps them",
    contract: kept,
    async check(harness) {
      const stock = stockOf(harness);
      const [listener, backend] = [await harness.listen({ stock }), await harness.backend()];
      const dials = Array.from({ length: 4 }, () => dialTo(backend.address));
      add(stock, dials);
      const clients = dials.map(() => harness.client(listener.address));
      // By then Node has connected; the relay reports later.
      await new Promise(resolve => process.nextTick(resolve));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
      const left = stock.takeBack();
      listener.bound?.close();
      // It accepts clients on this thread.
      if (left.length === dials.length) return;
      if (left.length > 0) throw new Mismatch(`${left.length} of 4 clients had no dial after 200 ms`);
      for (const client of clients) {
        client.send("still here");
        await (await listener.acceptedFrom(client.port)).isConnected();
      }
      // Threads dial in parallel: in another order than that of the clients.
      for (const _ of clients) await (await backend.next()).gets("still here");
    },
  },
];

/** Clients of a stock whose dials are taken back every few milliseconds, each time with another backend. */
async function raceForDials(harness: Harness): Promise<void> {
  const stock = stockOf(harness);
  const returned = new Set<PlannedDial>();
  const listener = await harness.listen({ stock });
  let [stocked, over] = [0, false];
  const fallback = await harness.backend();
  const keepConnecting = async (): Promise<void> => {
    while (!over) {
      const client = harness.client(listener.address);
      if (!(await client.connects())) throw new Mismatch(`${client}`);
      const accepted = await listener.acceptedFrom(client.port);
      const dial = accepted.stocked;
      if (!dial) accepted.dial(fallback.address);
      else if (returned.has(dial))
        throw new Mismatch("a client was dialled for by a dial that was taken back");
      else stocked += 1;
      await accepted.isConnected();
      await client.reset();
      await accepted.until(
        () => accepted.end,
        () => `ended() is missing (so far: ${accepted})`,
      );
    }
  };
  const clients = Array.from({ length: 16 }, keepConnecting);
  const checked = async (): Promise<void> => {
    for (let round = 0; round < 200 || stocked < 200; round++) {
      const backend: Backend = await harness.backend();
      const added = Array.from({ length: 1 + (round % 16) }, () => dialTo(backend.address));
      add(stock, added);
      for (let turn = 0; turn < round % 7; turn++) await eventLoopTurn();
      const left = stock.takeBack();
      for (const dial of left) returned.add(dial);
      const taken = added.length - left.length;
      // What connects to this backend from now on was dialled for before.
      const check = (): void => {
        if (backend.peers.length <= taken) return;
        const seen = `${backend.peers.length} connections to a backend whose dials were taken ${taken} times`;
        harness.onViolation({ contract: back, seen });
      };
      backend.onConnection = check;
      check();
    }
    over = true;
  };
  await Promise.all([...clients, checked()]);
}

function stockOf({ relay }: Harness): DialStock {
  const stock = relay.createStock?.();
  if (!stock) throw new Mismatch("there is no createStock()");
  return stock;
}

function dialTo(address: Address): PlannedDial {
  return { addresses: [address], timeoutMs: 60_000 };
}

function add(stock: DialStock, dials: readonly PlannedDial[]): void {
  const count = stock.add(dials);
  if (count !== dials.length) throw new Mismatch(`add() added ${count} of ${dials.length} dials`);
}
