/** A key with its value and its history in numbers, as etcd tells it. */
export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  /** The store's revision when the key was made. */
  readonly createRevision: number;
  /** The store's revision when the key was last put. */
  readonly modRevision: number;
  /** How often the key was put. */
  readonly version: number;
}

/** An ordered key-value store in memory: what of etcd's store the stand-in members share. */
export interface Store {
  /** 1 while empty, and one more with each put, as in etcd. */
  readonly revision: number;
  /** Puts `value` at `key`, and tells what was there before. */
  put(key: Buffer, value: Buffer): KeyValue | undefined;
  /**
   * What stands at `key`; with an `end` that is not empty, what stands from `key` up to but not including
   * `end`, in the order of the bytes. An `end` of one zero byte means all keys from `key` on.
   */
  range(key: Buffer, end: Buffer): readonly KeyValue[];
}

/** An empty store. */
export function createStore(): Store {
  // Latin-1 makes one character of each byte: equal bytes are equal strings, and in the same order.
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
