import { type Address, formatAddress } from "@gw/interface";

/** Puts `value` at `key` through the JSON form of etcd's API. */
export function curlPut(address: Address, key: string, value: string): string {
  return curl(address, "put", { key: base64(key), value: base64(value) });
}

/** Gets `key` through the JSON form of etcd's API. */
export function curlGet(address: Address, key: string): string {
  return curl(address, "range", { key: base64(key) });
}

/** `etcdctl` with these arguments; 3.3 and older need to be told of the API that all others have. */
export function etcdctl(address: Address, args: string): string {
  return `ETCDCTL_API=3 etcdctl --endpoints=${word(formatAddress(address))} ${args}`;
}

function curl(address: Address, method: string, fields: object): string {
  return `curl ${word(`http://${formatAddress(address)}/v3/kv/${method}`)} -d ${word(JSON.stringify(fields))}`;
}

/** `text` as one word of a shell; the brackets of an IPv6 address would be a pattern in some. */
function word(text: string): string {
  return /^[\w.,:=/-]+$/.test(text) ? text : `'${text}'`;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
