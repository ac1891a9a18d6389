import { expect, test } from "vitest";
import { createStore, put, RequestError, range, type Store } from "./kv-store.js";

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

test("zero, empty and false fields are left out, and numbers are strings", () => {
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

test("a put returns the previous value only if asked, and if there was one", () => {
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

test("keys_only leaves out the values, and count_only the keys", () => {
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

test("fields that the stand-in does not support are refused, not ignored", () => {
  const lease = request({ key: "Zm9v", value: "YmFy", lease: "7" });
  expect(refusal(() => put(createStore(), lease))).toMatchObject({ status: 501, code: 12 });
});

const nothing = Buffer.alloc(0);
const zero = Buffer.from([0]);

function storeWithKeys(...keys: readonly (string | Buffer)[]): Store {
  const store = createStore();
  for (const key of keys) store.put(Buffer.from(key), Buffer.from("value"));
  return store;
}

function keys(store: Store, key: string | Buffer, end: string | Buffer): string[] {
  return store.range(Buffer.from(key), Buffer.from(end)).map(entry => entry.key.toString("latin1"));
}

test("a range without an end is the key itself", () => {
  const store = storeWithKeys("foo", "foo2", "fo");
  expect(keys(store, "foo", nothing)).toEqual(["foo"]);
  expect(keys(store, "bar", nothing)).toEqual([]);
});

test("a range with an end goes up to it, without it, in the order of the bytes", () => {
  const store = storeWithKeys("foo2", "fop", "foo", "fo", "foo1");
  expect(keys(store, "foo", "fop")).toEqual(["foo", "foo1", "foo2"]);
  expect(keys(store, "foo1", "foo2")).toEqual(["foo1"]);
  expect(keys(store, "fop", "foo")).toEqual([]);
});

test("an end of one zero byte means all keys from there on", () => {
  const store = storeWithKeys("b", "a", "c", Buffer.from([0xff]), zero);
  expect(keys(store, "b", zero)).toEqual(["b", "c", "\xff"]);
  expect(keys(store, zero, zero)).toEqual(["\0", "a", "b", "c", "\xff"]);
});

test("keys are compared byte by byte, not as text", () => {
  const store = storeWithKeys(
    Buffer.from([0xe2, 0x82, 0xac]),
    Buffer.from([0xff, 0xff]),
    Buffer.from([0x7f]),
  );
  expect(keys(store, Buffer.from([0x7f]), Buffer.from([0xff]))).toEqual(["\x7f", "\xe2\x82\xac"]);
});

test("a put returns the previous entry, and counts revisions and versions as etcd does", () => {
  const store = createStore();
  const key = Buffer.from("foo");
  expect(store.revision).toBe(1);
  expect(store.put(key, Buffer.from("bar"))).toBeUndefined();
  expect(store.put(Buffer.from("other"), nothing)).toBeUndefined();
  expect(store.put(key, Buffer.from("baz"))).toMatchObject({ createRevision: 2, modRevision: 2, version: 1 });
  expect(store.range(key, nothing)).toEqual([
    { key, value: Buffer.from("baz"), createRevision: 2, modRevision: 4, version: 2 },
  ]);
  expect(store.revision).toBe(4);
});
