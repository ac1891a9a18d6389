import { expect, test } from "vitest";
import { put, RequestError, range } from "./kv-json.js";
import { createStore, type Store } from "./store.js";

function storeOf(fields: { readonly [key: string]: string }): Store {
  const store = createStore();
  for (const [key, value] of Object.entries(fields))
    put(store, request({ key: b64(key), value: b64(value) }));
  return store;
}

function request(fields: object): string {
  return JSON.stringify(fields);
}

function b64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function refusal(act: () => unknown): RequestError["body"] & { readonly status: number } {
  try {
    act();
  } catch (error) {
    if (error instanceof RequestError) return { status: error.status, ...error.body };
  }
  throw new Error("was not refused");
}

test("what is zero, empty or false is left out, and numbers are strings", () => {
  const store = storeOf({ foo: "bar", none: "" });
  expect(range(store, request({ key: b64("foo") }))).toEqual({
    kvs: [{ key: "Zm9v", create_revision: "2", mod_revision: "2", version: "1", value: "YmFy" }],
    count: "1",
  });
  expect(range(store, request({ key: b64("none") }))).toEqual({
    kvs: [{ key: "bm9uZQ==", create_revision: "3", mod_revision: "3", version: "1" }],
    count: "1",
  });
  expect(range(store, request({ key: b64("absent") }))).toEqual({});
});

test("a put tells the previous value only where it is asked for, and there was one", () => {
  const store = createStore();
  const ask = request({ key: "Zm9v", value: "YmF6", prev_kv: true });
  expect(put(store, ask)).toEqual({});
  expect(put(store, ask)).toMatchObject({ prev_kv: { version: "1", value: "YmF6" } });
  expect(put(store, request({ key: "Zm9v" }))).toEqual({});
});

test("a limit cuts the keys and not their count, as a number or as a string", () => {
  const store = storeOf({ a: "1", b: "2", c: "3" });
  for (const limit of [2, "2"]) {
    const answer = range(store, request({ key: b64("a"), range_end: b64("\0"), limit }));
    expect(answer).toMatchObject({ kvs: [{ key: b64("a") }, { key: b64("b") }], more: true, count: "3" });
  }
  const all = range(store, request({ key: b64("a"), range_end: b64("\0"), limit: 3 }));
  expect(all).not.toHaveProperty("more");
});

test("keys only come without values, and a count without keys", () => {
  const store = storeOf({ a: "1", b: "2" });
  const everything = { key: b64("\0"), range_end: b64("\0") };
  const keys = range(store, request({ ...everything, keys_only: true }));
  expect(keys).toMatchObject({ kvs: [{ key: b64("a") }, { key: b64("b") }], count: "2" });
  expect(JSON.stringify(keys)).not.toContain('"value"');
  expect(range(store, request({ ...everything, count_only: true }))).toEqual({ count: "2" });
});

test.each([
  ["", "key is not provided"],
  ["{}", "key is not provided"],
  ["{", "json"],
  ["[]", "not an object"],
  ["null", "not an object"],
  ['{"key":1}', "key: illegal base64 data"],
  ['{"key":"Zm9v2"}', "key: illegal base64 data"],
  ['{"key":"Zm-_"}', "key: illegal base64 data"],
  ['{"key":"Zm9v","range_end":"?"}', "range_end: illegal base64 data"],
  ['{"key":"Zm9v","limit":"all"}', "limit: not a whole number"],
  ['{"key":"Zm9v","limit":1.5}', "limit: not a whole number"],
  ['{"key":"Zm9v","keys_only":"yes"}', "keys_only: not true or false"],
])("the request %j is an invalid argument", (text, message) => {
  const body = refusal(() => range(createStore(), text));
  expect(body).toMatchObject({ status: 400, code: 3, message: expect.stringContaining(message) });
  expect(body["error"]).toBe(body["message"]);
});

test("what the stand-in cannot do is refused, and not passed over", () => {
  const lease = request({ key: "Zm9v", value: "YmFy", lease: "7" });
  expect(refusal(() => put(createStore(), lease))).toMatchObject({ status: 501, code: 12 });
});
