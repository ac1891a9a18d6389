import { expect, test } from "vitest";
import { watchHosts } from "./moved-hosts.js";

test("a host that has an address which it never had has moved; other orders and fewer addresses are no news", async () => {
  const answers: string[][] = [];
  const moved: string[] = [];
  const hosts = watchHosts(async () => ({ addresses: answers.shift() ?? [] }));
  hosts.onMoved(host => moved.push(host));
  const lookUp = async (host: string, ...addresses: string[]): Promise<readonly string[]> => {
    answers.push(addresses);
    await hosts.lookup(host);
    await new Promise(resolve => setImmediate(resolve));
    return moved.splice(0);
  };
  expect(await lookUp("a", "10.0.0.1", "10.0.0.2")).toEqual([]);
  expect(await lookUp("b", "10.0.0.3")).toEqual([]);
  expect(await lookUp("a", "10.0.0.2", "10.0.0.1")).toEqual([]);
  expect(await lookUp("a", "10.0.0.2")).toEqual([]);
  expect(await lookUp("a", "10.0.0.2", "10.0.0.3")).toEqual(["a"]);
  expect(await lookUp("b", "10.0.0.4")).toEqual(["b"]);
  expect(await lookUp("a", "10.0.0.1")).toEqual([]);
});

test("a look-up that fails is passed on", async () => {
  const hosts = watchHosts(() => Promise.reject(new Error("no answer")));
  await expect(hosts.lookup("a")).rejects.toThrow("no answer");
});
