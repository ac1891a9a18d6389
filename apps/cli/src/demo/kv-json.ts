import type { KeyValue, Store } from "./store.js";

/** A request that cannot be answered, and the answer that etcd's JSON gateway would give. */
export class RequestError extends Error {
  readonly status: number;
  readonly body: Json;

  /** @param code gRPC's: 3 is an invalid argument, 12 what is not implemented */
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
 * is taken as well, and changes nothing: there is one store.
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
  // As protobuf's JSON does, whatever is empty, zero or false is left out; int64 is a string.
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

/** An empty request is one without fields. A field that would be passed over in silence is refused. */
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
  // Node decodes whatever it is given; what does not come back as it was is not base64.
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
