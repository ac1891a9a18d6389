/** A key with its value, revisions and version, as in etcd. */
interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  /** The store's revision when the key was created. */
  readonly createRevision: number;
  /** The store's revision when the key was last put. */
  readonly modRevision: number;
  /** How often the key was put. */
  readonly version: number;
}

/** The ordered key-value store in memory that the stand-in members share. */
export interface Store {
  /** 1 while empty, plus one for each put, as in etcd. */
  readonly revision: number;
  /** Puts `value` at `key`. Returns what was there before. */
  put(key: Buffer, value: Buffer): KeyValue | undefined;
  /**
   * The entry at `key`; with an `end` that is not empty, the entries from `key` up to but not including `end`, in
   * the order of the bytes. An `end` of one zero byte means all keys from `key` on.
   */
  range(key: Buffer, end: Buffer): readonly KeyValue[];
}

/** An empty store. */
export function createStore(): Store {
  // Latin-1 turns each byte into one character: strings compare as the bytes do.
  const entries = new Map<string, KeyValue>();
  let revision = 1;
  return {
    get revision() {
      return revision;
    },
    put(key, value) {
      const name = key.toString("latin1");
      const before = entries.get(name);
      revision += 1;
      entries.set(name, {
        key,
        value,
        createRevision: before?.createRevision ?? revision,
        modRevision: revision,
        version: (before?.version ?? 0) + 1,
      });
      return before;
    },
    range(key, end) {
      const [first, last] = [key.toString("latin1"), end.toString("latin1")];
      const wanted = (name: string): boolean => {
        if (last === "") return name === first;
        return name >= first && (last === "\0" || name < last);
      };
      return [...entries]
        .filter(([name]) => wanted(name))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, entry]) => entry);
    },
  };
}

/** A request that is refused, with the response that etcd's JSON gateway would give. */
export class RequestError extends Error {
  readonly status: number;
  readonly body: Json;

  /** @param code of gRPC: 3 is an invalid argument, 12 is not implemented */
  constructor(code: 3 | 12, message: string) {
    super(message);
    this.status = code === 3 ? 400 : 501;
    this.body = { error: message, message, code };
  }
}

type Json = { readonly [name: string]: unknown };

/**
 * The JSON form of etcd's `Put`: `{"key", "value", "prev_kv"}`, keys and values in base64.
 *
 * @throws {RequestError} for anything else
 */
export function put(store: Store, request: string): Json {
  const fields = parse(request, ["key", "value", "prev_kv"]);
  const before = store.put(key(fields), bytes(fields, "value"));
  return before && flag(fields, "prev_kv") ? { prev_kv: present(before) } : {};
}

/**
 * The JSON form of etcd's `Range`: `{"key", "range_end", "limit", "keys_only", "count_only"}`. `serializable`
 * is accepted and has no effect: there is one store.
 *
 * @throws {RequestError} for anything else
 */
export function range(store: Store, request: string): Json {
  const known = ["key", "range_end", "limit", "keys_only", "count_only", "serializable"];
  const fields = parse(request, known);
  const found = store.range(key(fields), bytes(fields, "range_end"));
  const limit = count(fields, "limit") || Infinity;
  const [keysOnly, countOnly] = [flag(fields, "keys_only"), flag(fields, "count_only")];
  const kvs = countOnly ? [] : found.slice(0, limit).map(entry => present(entry, keysOnly));
  // As in protobuf's JSON, empty, zero and false fields are left out, and an int64 is a string.
  return {
    ...(kvs.length > 0 && { kvs }),
    ...(!countOnly && found.length > limit && { more: true }),
    ...(found.length > 0 && { count: String(found.length) }),
  };
}

function present(entry: KeyValue, keysOnly = false): Json {
  return {
    key: entry.key.toString("base64"),
    create_revision: String(entry.createRevision),
    mod_revision: String(entry.modRevision),
    version: String(entry.version),
    ...(!keysOnly && entry.value.length > 0 && { value: entry.value.toString("base64") }),
  };
}

/** An empty request has no fields. An unknown field is refused, as ignoring it would be wrong. */
function parse(request: string, known: readonly string[]): Json {
  const fields = request === "" ? {} : parseJson(request);
  if (typeof fields !== "object" || fields === null || Array.isArray(fields))
    throw new RequestError(3, "json: not an object");
  const unknown = Object.keys(fields).find(name => !known.includes(name));
  if (unknown !== undefined)
    throw new RequestError(12, `this is a stand-in for etcd, which does not know ${JSON.stringify(unknown)}`);
  return fields as Json;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RequestError(3, `json: ${error instanceof Error ? error.message : error}`);
  }
}

function key(fields: Json): Buffer {
  const found = bytes(fields, "key");
  if (found.length === 0) throw new RequestError(3, "etcdserver: key is not provided");
  return found;
}

function bytes(fields: Json, name: string): Buffer {
  const text = fields[name] ?? "";
  const decoded = typeof text === "string" ? Buffer.from(text, "base64") : undefined;
  // Node decodes any text; text that does not survive the round trip is not base64.
  if (decoded?.toString("base64") === text) return decoded;
  throw new RequestError(3, `${name}: illegal base64 data`);
}

function flag(fields: Json, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === "boolean") return value;
  throw new RequestError(3, `${name}: not true or false`);
}

/** An int64, which JSON carries as a number or as a string. */
function count(fields: Json, name: string): number {
  const value = fields[name] ?? 0;
  const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (Number.isSafeInteger(number) && (number as number) >= 0) return number as number;
  throw new RequestError(3, `${name}: not a whole number`);
}
