import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectTo, echo, freePort, outcome, runGw, startBackend, startGw, startProgram } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const bin = new URL("../bin/gw.js", import.meta.url).pathname;

/** Expects one line on stderr that matches, nothing on stdout, and this exit code. */
async function expectError(args: readonly string[], code: number, line: RegExp, env = {}): Promise<void> {
  const result = await runGw(args, { env });
  expect({ ...result, stderr: "" }).toEqual({ code, signal: null, stdout: "", stderr: "" });
  expect(result.stderr).toMatch(line);
  expect(result.stderr).toMatch(/^gw: error: [^\n]+\n$/);
}

/** A retry delay of 7 s, with jitter. */
const betweenHalfAnd7s = expect.stringMatching(/^(?:[3-6](?:\.\d)?|7)s$/);

describe("bad usage is one line on stderr and exit code 2", () => {
  test.each<[string[], RegExp]>([
    [["--endpoints="], /the list of endpoints is empty/],
    [["--endpoints=a,,b"], /"a,,b" has an empty item/],
    [["--keepalive-delay=10h"], /--keepalive-delay .*"10h" is more than 9h6m7s, the most that systems take/],
    [["--keepalive-interval=10h"], /--keepalive-interval .*"10h" is more than 9h6m7s/],
    [["--keepalive-probes=128"], /--keepalive-probes .*"128" is not a whole number from 1 to 127/],
    [["--user-timeout=597h"], /--user-timeout /],
    [["--endpoints=h:7001abc"], /"h:7001abc": port "7001abc" is not a number from 1 to 65535/],
    [["--endpoints=h:"], /port "" is not/],
    [["--endpoints=h:0"], /port "0" is not/],
    [["--endpoints=h:-5"], /port "-5" is not/],
    [["--endpoints=h:99999"], /port "99999" is not/],
    [["--endpoints=::1"], /an IPv6 address needs brackets: \[::1\]/],
    [["--endpoints=unix:///run/etcd"], /scheme "unix" is not supported/],
    [["--endpoints=ftp://h"], /scheme "ftp" is not supported/],
    [["--endpoints=http://user@"], /has no host/],
    [["--endpoints=bad\nhost"], /"bad\\nhost" is not a host name/],
    [["--retry-delay=0"], /'--retry-delay/],
    [["--retry-delay=-1s"], /'--retry-delay/],
    [["--connect-timeout=soon"], /"soon" is not a duration/],
    [["--shutdown-grace=1"], /"1" is not a duration/],
    [["--max-connections=0"], /"0" is not a whole number/],
    [["--max-connections=1e3"], /"1e3" is not a whole number/],
    [["--listen-addr=127.0.0.1"], /has no port/],
    [["--listen-addr=:23790"], /has no host/],
    [["--listen-addr=127.0.0.1:99999"], /port "99999" is not a number from 0 to 65535/],
    [["--log-level=loud"], /Allowed choices are trace, debug/],
    [["--log-format=xml"], /Allowed choices are json, text/],
    [["--selector=no-such-selector"], /neither a built-in selector \(sticky-random.*\) nor a package/],
    [["--selector=./no-such-file.js"], /cannot be loaded/],
    [["--endpoint=h"], /unknown option.*Did you mean --endpoints\?/],
    [["--endpoints"], /argument missing/],
    [["stop"], /unknown command 'stop'/],
    [["start", "now"], /too many arguments/],
    [["--discovery-srv=exa mple.com"], /is not a DNS name/],
    [["--discovery-srv="], /'--discovery-srv <domain>' argument '' is invalid. it is empty/],
    [["--discovery-srv-name=x"], /--discovery-srv-name does nothing without --discovery-srv/],
    [["--insecure-discovery"], /--insecure-discovery does nothing without --discovery-srv/],
    [["--insecure-discovery=maybe"], /"maybe" is neither true nor false/],
    [["--dns-server=127.0.0.1"], /--dns-server does nothing without --discovery-srv/],
    [["--discovery-srv=a.test", "--dns-server=127.0.0.1:x"], /DNS server "127.0.0.1:x": port "x"/],
    [
      ["--discovery-srv=a.test", "--discovery-min-refresh=2s", "--discovery-max-refresh=1s"],
      /--discovery-min-refresh 2s is more than --discovery-max-refresh 1s/,
    ],
    [["--discovery-min-refresh=0"], /'--discovery-min-refresh/],
    [["--trusted-ca-file=/no/such/ca.pem"], /--trusted-ca-file "\/no\/such\/ca.pem" cannot be read/],
    [["--trusted-ca-file=/dev/null"], /--trusted-ca-file "\/dev\/null" has no CERTIFICATE in PEM/],
    [
      ["--cert-file=/dev/null", "--health-check=off"],
      /--cert-file does nothing without --trusted-ca-file, --discovery-members or a --health-check that uses it/,
    ],
    [
      ["--health-check=ping"],
      /--health-check <type>.*ping.*Allowed choices are auto, etcd, http, tls, tcp, off/,
    ],
    [["--health-fall=0"], /--health-fall.*"0" is not a whole number from 1 to 100/],
    [["--health-interval=0"], /--health-interval.*"0" is not more than zero/],
    [["--health-port=99999"], /--health-port.*"99999" is not a whole number from 1 to 65535/],
    [["--health-path=health"], /--health-path "health" is not one/],
    [
      ["--health-url=http://infra0/health"],
      /--health-url "http:\/\/infra0\/health" has neither \{host\} nor \{port\} in it/,
    ],
    [["--health-port=1", "--health-url=http://{host}"], /--health-port and --health-url exclude each other/],
    [["--health-check=tcp", "--health-path=/"], /--health-path does nothing with --health-check tcp/],
    [["--health-check=off", "--health-rise=2"], /--health-rise does nothing with --health-check off/],
    [
      ["--cluster-id=xyz"],
      /--cluster-id <id>.*"xyz" is neither auto nor off nor a cluster id in hexadecimal/,
    ],
    [["--cluster-id=0"], /"0" is neither auto nor off nor a cluster id/],
    [
      ["--cluster-id=12345678901234567"],
      /nor a cluster id in hexadecimal.*; in hexadecimal it is 2bdc545d6b4b87$/m,
    ],
    [["--cluster-id=1f", "--health-check=tcp"], /--cluster-id 1f cannot be verified with --health-check tcp/],
    [["--cluster-id=1f", "--cluster-id-hold=1s"], /--cluster-id-hold does nothing with --cluster-id 1f/],
    [["--cluster-id=off", "--cluster-id-hold=1s"], /--cluster-id-hold does nothing with --cluster-id off/],
    [
      ["--health-check=off", "--cluster-id-hold=1s"],
      /--cluster-id-hold does nothing with --health-check off/,
    ],
    [["--health-check=off", "--stall-timeout=2s"], /--stall-timeout does nothing with --health-check off/],
    [["--health-check=off", "--on-unhealthy=drain"], /--on-unhealthy does nothing with --health-check off/],
    [["--on-unhealthy=kill"], /--on-unhealthy.*kill.*Allowed choices are drain, close, leave/],
    [["--panic-threshold=0.5"], /--panic-threshold.*"0\.5" is not a share from 0% to 100%/],
    [["--panic-threshold=101%"], /"101%" is not a share from 0% to 100%/],
    [["--retry-delay=2m", "--max-retry-delay=1m"], /--max-retry-delay 1m is less than --retry-delay 2m/],
    [
      ["--rebalance=10%"],
      /--rebalance does nothing with --selector sticky-random, which keeps to one endpoint/,
    ],
    [["--rebalance=10%", "--selector=first"], /--rebalance does nothing with --selector first/],
    [
      ["--selector=two-choices:choices=1"],
      /selector "two-choices": choices 1 is not a whole number from 2 to 100/,
    ],
    [["--selector=two-choices:choices=x"], /selector "two-choices": choices "x" is not a whole number/],
    [
      ["--selector=two-choices:choice=3"],
      /selector "two-choices": there is no option "choice"; it has choices/,
    ],
    [["--selector=sticky-random:failback=0"], /selector "sticky-random": failback "0" is not more than zero/],
    [["--selector=leader:settle=5"], /selector "leader": settle "5" is not a duration such as 500ms/],
    [
      ["--selector=nearest:tolerance=30"],
      /selector "nearest": tolerance "30" is not a share from 0% to 100%/,
    ],
    [
      ["--selector=nearest:settle=1m,zone=a"],
      /there is no option "zone"; it has tolerance, min-tolerance, settle/,
    ],
    [["--selector=random:a=1"], /selector "random": there is no option "a"; it has none/],
    [["--selector=random:"], /selector "random:": what follows ":" must be options of the form key=value/],
    [["--selector=two-choices:choices=2,choices=3"], /the option "choices" is given twice/],
    [["--cert-file=/dev/null", "--discovery-members"], /--cert-file and --key-file go together/],
    [["--key-file=/dev/null"], /--cert-file and --key-file go together/],
    [["--etcd-user=root:x"], /--etcd-user does nothing without --discovery-members/],
    [["--discovery-members", "--etcd-user=root"], /--etcd-user is not of the form name:password/],
    [["--discovery-members", "--etcd-user=a:b", "--etcd-token=c"], /exclude each other/],
    [["--on-removed=explode"], /Allowed choices are drain, close, leave/],
    [["--drain-timeout=0"], /'--drain-timeout/],
  ])("%j", (args, line) => expectError(args, 2, line));

  test.each([
    [["--endpoints=127.0.0.1:23790"], /127\.0\.0\.1:23790 is the gateway itself/],
    [["--listen-addr=0.0.0.0:23790", "--endpoints=127.0.0.1:23790"], /is the gateway itself/],
    [["--listen-addr=[::]:23790", "--endpoints=localhost:23790"], /localhost:23790.* is the gateway itself/],
    [["--listen-addr=[::]:23790", "--endpoints=[::1]:23790,10.0.0.1"], /\[::1\]:23790 is the gateway itself/],
    [["--listen-addr=127.0.0.1:23790", "--endpoints=0.0.0.0:23790"], /is the gateway itself/],
  ])("an endpoint that is the gateway itself: %j", (args, line) => expectError(args, 2, line));

  test("from an environment variable, which the message names", () =>
    expectError(["start"], 2, /GW_ENDPOINTS="h:x" is invalid.*port "x" is not a number/, {
      GW_ENDPOINTS: "h:x",
    }));
});

describe("what the system refuses is one line on stderr and exit code 1", () => {
  test("an address in use", async () => {
    await using taken = await startBackend();
    await expectError([`--listen-addr=127.0.0.1:${taken.port}`], 1, /listen on 127.*address already in use/);
  });

  test("an address of another machine", () =>
    expectError(["--listen-addr=192.0.2.1:23790"], 1, /listen on 192\.0\.2\.1:23790: no such local address/));
});

test("--version prints the version, --help what can be said; both are exit code 0", async () => {
  expect(await runGw(["--version"])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
  for (const args of [
    ["start", "--help"],
    ["help", "start"],
    ["gateway", "start", "--help"],
  ]) {
    const { code, stdout, stderr } = await runGw(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const flag of [
      "--endpoints",
      "--listen-addr",
      "--retry-delay",
      "--connect-timeout",
      "--max-connect-attempts",
      "--max-connections",
    ])
      expect(stdout).toContain(flag);
    for (const byDefault of ["127.0.0.1:2379", "127.0.0.1:23790", "1m", "5s", "10s", "sticky-random"])
      expect(stdout).toContain(byDefault);
  }
});

test("gw --help fits one screen, and refers to the rest", async () => {
  for (const args of [["--help"], ["help"], ["gateway", "--help"], ["--listen-addr=a:1", "help"]]) {
    const { code, stdout } = await runGw(args);
    expect(code).toBe(0);
    expect(stdout.split("\n").length).toBeLessThanOrEqual(45);
    expect(stdout).toContain("--endpoints");
    expect(stdout).toContain("All flags: gw start --help");
  }
});

test("gw version prints the version", async () => {
  expect(await runGw(["version"])).toMatchObject(await runGw(["--version"]));
});

test.each([
  [["strat"], /unknown command 'strat' \(Did you mean start\?\)/],
  [["help", "strat"], /unknown command 'strat' \(Did you mean start\?\)/],
  [["--endpoint=a"], /unknown option '--endpoint=…' \(Did you mean --endpoints\?\)/],
  [
    ["start", "--endpoints=h:1", "--heath-interval=3s"],
    /unknown option '--heath-interval=…' \(Did you mean --health-interval\?\)/,
  ],
])("%j is answered with the nearest that is known", (args, line) => expectError(args, 2, line));

describe("settings", () => {
  test("flags may stand before `start`, after it, or without it", async () => {
    await using backend = await startBackend(echo);
    const endpoints = `--endpoints=127.0.0.1:${backend.port}`;
    const listen = "--listen-addr=127.0.0.1:0";
    for (const args of [
      [endpoints, listen, "start"],
      ["start", endpoints, listen],
      [endpoints, "start", listen],
    ]) {
      const { exit, printed, kill } = startGwRaw(args);
      await printed(/ready to proxy.*/);
      kill();
      const { code, stderr } = await exit;
      expect(code).toBe(0);
      expect(stderr).toContain(`"endpoints":["127.0.0.1:${backend.port}"]`);
    }
  });

  test("an environment variable sets what no flag sets, and an unknown one is warned of", async () => {
    const [variable, flag] = [await freePort(), await freePort()];
    const env = { GW_ENDPOINTS: `127.0.0.1:${variable}`, GW_RETRY_DELAY: "7s", GW_ENDPOINT: "typo" };
    await using fromVariable = await startGw([], { env });
    expect(await fromVariable.logged(/ready/)).toMatchObject({ endpoints: [`127.0.0.1:${variable}`] });
    expect(await fromVariable.logged(/unknown environment variables/)).toMatchObject({
      level: "warn",
      variables: ["GW_ENDPOINT (GW_ENDPOINTS?)"],
    });
    (await connectTo(fromVariable.port)).destroy();
    expect(await fromVariable.logged(/endpoint down/)).toMatchObject({ retryIn: betweenHalfAnd7s });
    await using fromFlag = await startGw([`--endpoints=127.0.0.1:${flag}`], { env });
    expect(await fromFlag.logged(/ready/)).toMatchObject({ endpoints: [`127.0.0.1:${flag}`] });
  });

  test("variables of Kubernetes' service links, empty ones and line ends around values are no mistakes", async () => {
    const env = {
      GW_HEALTH_PORT: "tcp://10.0.0.1:80",
      GW_HEALTH_SERVICE_HOST: "10.0.0.1",
      GW_HEALTH_PORT_80_TCP_ADDR: "10.0.0.1",
      GW_SERVICE_PORT_CLIENT: "2379",
      GW_PORT: "tcp://10.0.0.1:2379",
      GW_CONNECT_TIMEOUT: "",
      GW_DISCOVERY_SRV: " ",
      GW_INSECURE_DISCOVERY: "\n",
      GW_RETRY_DELAY: "7s\n",
      GW_ENDPOINTS: " 127.0.0.1:1 \n",
    };
    await using gw = await startGw([], { env });
    expect(await gw.logged(/ready/)).toMatchObject({ endpoints: ["127.0.0.1:1"] });
    (await connectTo(gw.port)).destroy();
    expect(await gw.logged(/endpoint down/)).toMatchObject({ retryIn: betweenHalfAnd7s });
    expect(gw.output).not.toMatch(/unknown environment variables|GW_/);
  });

  test("many unknown variables are one short line", async () => {
    const names = Array.from({ length: 200 }, (_, index) => [`GW_APP_SETTING_${index}`, "x".repeat(1_000)]);
    await using gw = await startGw([], { env: { ...Object.fromEntries(names), GW_LOG_LEVELS: "info" } });
    expect(await gw.logged(/unknown environment variables/)).toMatchObject({
      variables: expect.any(Array),
      more: 198,
    });
    const lines = gw.output.split("\n").filter(line => line.includes("unknown environment variables"));
    expect(lines).toHaveLength(1);
    expect(lines[0]?.length).toBeLessThan(400);
  });

  test("a flag wins over its variable, wherever it stands and whatever the variable is", async () => {
    const env = { GW_RETRY_DELAY: "nonsense", GW_ENDPOINTS: "" };
    const flags = ["--retry-delay=7s", "--endpoints=127.0.0.1:1"];
    await using gw = await startGw(flags, { env });
    expect(await gw.logged(/ready/)).toMatchObject({ endpoints: ["127.0.0.1:1"] });
    await using before = startGwRaw([...flags, "--listen-addr=127.0.0.1:0", "start"], env);
    await before.printed(/ready to proxy/);
  });

  test("flags that may be repeated add up across `start`", async () => {
    const args = ["--endpoints=127.0.0.1:1", "--listen-addr=127.0.0.1:0", "start", "--endpoints=127.0.0.1:2"];
    await using gw = startGwRaw(args);
    const [ready] = await gw.printed(/"endpoints":.*ready to proxy/);
    expect(ready).toContain('"endpoints":["127.0.0.1:1","127.0.0.1:2"]');
  });

  test("endpoints may be repeated, spaced, and written as URLs; one given twice is warned of", async () => {
    await using gw = await startGw([
      "--endpoints=http://127.0.0.1:1/path, 127.0.0.2",
      "--endpoints=https://user:pw@[::1]:3,127.0.0.1:1",
    ]);
    expect(await gw.logged(/ready/)).toMatchObject({
      endpoints: ["127.0.0.1:1", "127.0.0.2:2379", "[::1]:3"],
    });
    expect(await gw.logged(/endpoint duplicated/)).toMatchObject({ level: "warn", endpoint: "127.0.0.1:1" });
  });

  test("a name that cannot be resolved is a warning, and the other endpoints serve", async () => {
    await using backend = await startBackend(echo);
    await using gw = await startGw([`--endpoints=no-such-host.invalid,127.0.0.1:${backend.port}`]);
    expect(await gw.logged(/endpoint unresolved/)).toMatchObject({
      endpoint: "no-such-host.invalid:2379",
    });
    for (const _ of [1, 2, 3, 4]) {
      const client = await connectTo(gw.port);
      client.end("served");
      expect(await outcome(client)).toEqual({ received: Buffer.from("served"), end: "end" });
    }
  });

  test("a user timeout that is shorter than keepalive takes is warned of", async () => {
    await using gw = await startGw(["--user-timeout=10s", "--keepalive-delay=1m"]);
    expect(await gw.logged(/user timeout too short/)).toMatchObject({
      userTimeout: "10s",
      keepalive: "1m30s",
    });
  });

  test("more connections than the descriptors allow are warned of", async () => {
    await using gw = await startGw(["--max-connections=999999999"]);
    expect(await gw.logged(/connection limit lowered/)).toMatchObject({ level: "warn" });
  });
});

describe("--selector", () => {
  let project: string;
  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), "gw-selector-"));
    const write = async (name: string, code: string): Promise<void> => {
      const folder = join(project, "node_modules", name);
      await mkdir(folder, { recursive: true });
      const manifest = { name, version: "1.0.0", type: "module", exports: { import: "./index.js" } };
      await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
      await writeFile(join(folder, "index.js"), code);
    };
    await write("last-selector", "export default () => ({ pick: candidates => candidates.at(-1) });");
    await write("no-default", "export const selector = 1;");
    await write("not-a-function", "export default { pick() {} };");
    await write("no-pick", "export default () => ({ choose() {} });");
    await write("throws", "export default () => { throw new Error('no luck\\nat all') };");
    await write("broken", "export default (");
    await write(
      "endless",
      "await new Promise(() => {}); export default () => ({ pick: ([first]) => first });",
    );
    await write(
      "rejects",
      "export default () => ({ pick([first]) { Promise.reject(new Error('stray')); return first; } });",
    );
    await write("inventor", "export default () => ({ pick: () => ({}) });");
    await writeFile(join(project, "first.js"), "export default () => ({ pick: ([first]) => first });");
  });
  afterAll(() => rm(project, { recursive: true, force: true }));

  test.each(["last-selector", "./first.js"])("%s of the user's project decides", async selector => {
    await using first = await startBackend(echo);
    await using last = await startBackend(echo);
    const endpoints = `--endpoints=127.0.0.1:${first.port},127.0.0.1:${last.port}`;
    const flags = [endpoints, `--selector=${selector}`, "--health-check=off"];
    await using gw = await startGw(flags, { cwd: project });
    for (const _ of [1, 2, 3]) {
      const client = await connectTo(gw.port);
      client.end("x");
      await outcome(client);
    }
    expect([first.accepted, last.accepted]).toEqual(selector === "last-selector" ? [0, 3] : [3, 0]);
  });

  test.each([
    ["no-default", /default export is undefined, not a function/],
    ["not-a-function", /default export is a value of type object, not a function/],
    ["no-pick", /not an object with a pick function/],
    ["throws", /its factory threw: no luck$/m],
    ["broken", /cannot be loaded/],
  ])("%s is refused", async (selector, line) => {
    const result = await runGw([`--selector=${selector}`], { cwd: project });
    expect(result).toMatchObject({ code: 2, stdout: "" });
    expect(result.stderr).toMatch(line);
    expect(result.stderr).toMatch(/^gw: error: selector [^\n]+\n$/);
  });

  test("one whose module never ends loading does not keep from stopping", async () => {
    await using gw = startProgram(process.execPath, [bin, "--selector=endless"], { cwd: project });
    // It says nothing before it is ready, so the request to stop is repeated until it is heard.
    const stopping = setInterval(() => gw.kill(), 20);
    expect(await gw.exit).toMatchObject({ stdout: "" });
    clearInterval(stopping);
  });

  test("one that leaves a rejection unhandled is logged, and serves", async () => {
    await using backend = await startBackend(echo);
    await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, "--selector=rejects"], {
      cwd: project,
    });
    for (const _ of [1, 2]) {
      const client = await connectTo(gw.port);
      client.end("served");
      expect(await outcome(client)).toMatchObject({ received: Buffer.from("served") });
    }
    expect(await gw.logged(/unexpected error/)).toMatchObject({ level: "error", reason: "stray" });
  });

  test("one that picks what it was not offered is overruled, and logged once", async () => {
    await using backend = await startBackend(echo);
    await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, "--selector=inventor"], {
      cwd: project,
    });
    for (const _ of [1, 2, 3]) {
      const client = await connectTo(gw.port);
      client.end("served anyway");
      expect(await outcome(client)).toMatchObject({ received: Buffer.from("served anyway") });
    }
    await gw.logged(/selector failed/);
    expect(gw.log.filter(line => line.msg.includes("selector failed"))).toHaveLength(1);
  });
});

function startGwRaw(args: readonly string[], env = {}): ReturnType<typeof startProgram> {
  return startProgram(process.execPath, [bin, ...args], { env });
}
