import { describe, expect, test } from "vitest";
import { probeTarget, type TargetOptions } from "./target.js";

const endpoint = { host: "infra0.example.com.", port: 2379, priority: 1, weight: 2, secure: true };
const v6 = { host: "fe80::1%eth0", port: 2379, priority: 0, weight: 0 };

describe("an endpoint is asked", () => {
  test.each<[TargetOptions, object, object?]>([
    [{}, { endpoint, path: undefined, isOwn: true }],
    [{ path: "/healthz" }, { endpoint, path: "/healthz", isOwn: true }],
    [{ port: 2379 }, { endpoint, isOwn: true }],
    [{ port: 2381 }, { endpoint: { host: endpoint.host, port: 2381, priority: 1, weight: 2 }, isOwn: false }],
    [{ url: "http://{host}:2381" }, { endpoint: { ...endpoint, port: 2381, secure: false }, isOwn: false }],
    [{ url: "HTTPS://{host}/x" }, { endpoint: { ...endpoint, port: 443, secure: true }, path: "/x" }],
    [
      { url: "http://{host}:{port}/", path: undefined },
      { endpoint: { ...endpoint, secure: false }, path: "/" },
    ],
    [{ url: "http://{host}:1", path: "/p" }, { path: "/p" }],
    [{ url: "http://{host}:1/a" }, { endpoint: { ...v6, port: 1, secure: false } }, v6],
    [
      { url: "http://[fe80::1%25eth0]:{port}/" },
      { endpoint: { ...endpoint, host: "fe80::1%eth0", secure: false } },
    ],
    [
      { url: "http://[::1]:9000/of?host={host}&port={port}" },
      {
        endpoint: { ...v6, host: "::1", port: 9000, secure: false },
        path: "/of?host=fe80%3A%3A1%25eth0&port=2379",
      },
      v6,
    ],
  ])("by %j", (options, where, of = endpoint) => {
    expect(probeTarget(options)(of as typeof endpoint)).toMatchObject(where);
  });

  test("on another port without regard to TLS on its own: kubeadm's metrics have none", () => {
    expect(probeTarget({ port: 2381 })(endpoint).endpoint).not.toHaveProperty("secure");
  });
});

test.each<[TargetOptions, string]>([
  [{ path: "health" }, 'path "health" is not one: / and then visible characters of ASCII'],
  [{ path: "/a b" }, 'path "/a b" is not one: / and then visible characters of ASCII'],
  [{ path: "/\r\nx: y" }, 'path "/\\r\\nx: y" is not one: / and then visible characters of ASCII'],
  [{ port: 0 }, "port 0 is not a number from 1 to 65535"],
  [{ port: 2379.5 }, "port 2379.5 is not a number from 1 to 65535"],
  [{ port: 1, url: "http://{host}" }, "port and url exclude each other"],
  [{ url: "{host}:2381" }, 'url "{host}:2381" is not of the form http(s)://host[:port][/path]'],
  [{ url: "ftp://{host}" }, 'url "ftp://{host}" is not of the form http(s)://host[:port][/path]'],
  [{ url: "http://a:b@{host}" }, 'url "http://…@{host}" is not of the form http(s)://host[:port][/path]'],
  [{ url: "http://{host}/#a" }, 'url "http://{host}/#a" is not of the form http(s)://host[:port][/path]'],
  [{ url: "http://a/health" }, 'url "http://a/health" has neither {host} nor {port} in it'],
  [{ url: "http://{host}/{name}" }, 'url "http://{host}/{name}" knows only {host} and {port}'],
  [{ url: "http://{host}/a", path: "/b" }, 'url "http://{host}/a" has a path, and path is given too'],
  [{ url: "http://-a-/{port}" }, 'url "http://-a-/{port}": "-a-" is not a host name or an IP address'],
  [{ url: "http://{host}:70000" }, 'url "http://{host}:70000": port "70000" is not a number from 1 to 65535'],
])("%j is refused", (options, detail) => {
  expect(() => probeTarget(options)).toThrow(expect.objectContaining({ code: "invalid-option", detail }));
});
