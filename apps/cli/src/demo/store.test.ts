import { expect, test } from "vitest";
import { createStore, type Store } from "./store.js";

const nothing = Buffer.alloc(0);
const zero = Buffer.from([0]);

function storeOf(...keys: readonly (string | Buffer)[]): Store {
  const store = createStore();
  for (const key of keys) store.put(Buffer.from(key), Buffer.from("value"));
  return store;
}

function keys(store: Store, key: string | Buffer, end: string | Buffer): string[] {
  return store.range(Buffer.from(key), Buffer.from(end)).map(entry => entry.key.toString("latin1"));
}

test("a range without an end is the key itself", () => {
  const store = storeOf("foo", "foo2", "fo");
  expect(keys(store, "foo", nothing)).toEqual(["foo"]);
  expect(keys(store, "bar", nothing)).toEqual([]);
});

test("a range with an end goes up to it, without it, in the order of the bytes", () => {
  const store = storeOf("foo2", "fop", "foo", "fo", "foo1");
  expect(keys(store, "foo", "fop")).toEqual(["foo", "foo1", "foo2"]);
  expect(keys(store, "foo1", "foo2")).toEqual(["foo1"]);
  expect(keys(store, "fop", "foo")).toEqual([]);
});

test("an end of one zero byte means all keys from there on", () => {
  const store = storeOf("b", "a", "c", Buffer.from([0xff]), zero);
  expect(keys(store, "b", zero)).toEqual(["b", "c", "\xff"]);
  expect(keys(store, zero, zero)).toEqual(["\0", "a", "b", "c", "\xff"]);
});

test("bytes are compared as numbers, whatever text they would be", () => {
  const store = storeOf(Buffer.from([0xe2, 0x82, 0xac]), Buffer.from([0xff, 0xff]), Buffer.from([0x7f]));
  expect(keys(store, Buffer.from([0x7f]), Buffer.from([0xff]))).toEqual(["\x7f", "\xe2\x82\xac"]);
});

test("a put tells what was before, and counts revisions and versions as etcd does", () => {
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
