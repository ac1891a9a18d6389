import { connectTo, missing, outcome, runGw, startEtcd, startGw, startProgram } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { type AdminStub, type Json, startAdminStub } from "./admin-stub.js";
import { startAtTerminal } from "./pseudo-terminal.js";

const bin = new URL("../bin/gw.js", import.meta.url).pathname;
const endpoint = "10.0.0.1:2379";

function maintain(stub: AdminStub, ...args: readonly string[]): ReturnType<typeof runGw> {
  return runGw(["maintain", endpoint, ...args], { env: { GW_ADMIN_ADDR: stub.address } });
}

/** Its actions besides checks. */
function holds(stub: AdminStub): readonly string[] {
  return stub.actions.filter(action => !action.startsWith("check")).map(action => action.split("?")[0] ?? "");
}

describe("gw drain and gw undrain", () => {
  test("they hold an endpoint and take it back", async () => {
    await using stub = await startAdminStub();
    const env = { GW_ADMIN_ADDR: stub.address };
    const drained = await runGw(["drain", "10.0.0.1", "--wait=5s"], { env });
    expect(drained).toMatchObject({ code: 0, stderr: "" });
    expect(drained.stdout).toContain(`${endpoint} is drained: it gets no new connections`);
    const back = await runGw(["undrain", endpoint], { env });
    expect(back.stdout).toBe(`${endpoint} is taken back\n`);
    await runGw(["drain", "--down", "--force", endpoint], { env });
    expect(stub.actions).toEqual([
      "drain?endpoint=10.0.0.1%3A2379",
      "undrain?endpoint=10.0.0.1%3A2379",
      "down?endpoint=10.0.0.1%3A2379&force=true",
    ]);
  });

  test("gw drain says how many connections are open", async () => {
    await using stub = await startAdminStub();
    const act = stub.answer;
    stub.answer = async (action, query) => {
      const answer = await act(action, query);
      stub.status.endpoints[0].connections = 1;
      return answer;
    };
    const { stdout } = await runGw(["drain", endpoint], { env: { GW_ADMIN_ADDR: stub.address } });
    expect(stdout).toBe(`${endpoint} is drained: it gets no new connections; 1 connection is open\n`);
  });

  test("gw undrain of an endpoint that is not held is an error", async () => {
    await using stub = await startAdminStub();
    const run = await runGw(["undrain", endpoint], { env: { GW_ADMIN_ADDR: stub.address } });
    expect(run).toMatchObject({ code: 1, stdout: "" });
    expect(run.stderr).toMatch(
      /^gw: (error: )?10\.0\.0\.1:2379 is neither drained nor marked down by an operator\n$/,
    );
  });

  test.each<[string, readonly string[], number, RegExp, ((status: Json) => void)?]>([
    ["no endpoint", ["drain"], 2, /missing required argument 'endpoint'/],
    ["a name that is none", ["drain", "a b"], 2, /endpoint "a b"/],
    ["another endpoint", ["drain", "10.0.0.9"], 1, /10\.0\.0\.9:2379 is not an endpoint of this gateway/],
    ["a wait that is none", ["drain", endpoint, "--wait=x"], 2, /"x" is not a duration/],
    ["no command", ["maintain", endpoint], 2, /missing required argument 'command'/],
    [
      "a gateway without actions",
      ["undrain", endpoint],
      1,
      /takes no actions: start it with --admin-actions/,
      status => {
        status.gateway.actions = false;
      },
    ],
  ])("%s is an error", async (_, args, code, message, change) => {
    await using stub = await startAdminStub();
    change?.(stub.status);
    const run = await runGw(args, { env: { GW_ADMIN_ADDR: stub.address } });
    expect(run).toMatchObject({ code, stdout: "" });
    expect(run.stderr).toMatch(message);
    expect(stub.actions).toEqual([]);
  });
});

describe("gw maintain", () => {
  test("runs the command while the endpoint is drained, and takes it back", async () => {
    await using stub = await startAdminStub();
    stub.status.endpoints[0].connections = 2;
    const run = await maintain(stub, "--", "sh", "-c", "echo $GW_ENDPOINT; exit 7");
    expect(run).toMatchObject({ code: 7, stdout: `${endpoint}\n` });
    expect(run.stderr).toContain(
      "2 of the 3 voting members that the gateway knows are left, a majority is 2",
    );
    expect(run.stderr).toContain(`${endpoint} is healthy and taken back`);
    expect(holds(stub)).toEqual(["drain", "undrain"]);
  });

  test.each<[string, (stub: AdminStub) => void, RegExp]>([
    [
      "another endpoint is drained",
      ({ status }) => Object.assign(status.endpoints[1], { state: "held", hold: "drained" }),
      /10\.0\.0\.2:2379 is drained \(--force/,
    ],
    [
      "another endpoint is unhealthy",
      stub => {
        stub.answer = (action, query) => [
          200,
          action === "check" && query.get("endpoint") === "10.0.0.3:2379"
            ? { healthy: false, reason: "NOSPACE alarm" }
            : { healthy: true },
        ];
      },
      /10\.0\.0\.3:2379 is unhealthy: NOSPACE alarm/,
    ],
    [
      "the rest has no quorum",
      ({ status }) => {
        status.endpoints[2].facts.isLearner = true;
      },
      /without it 1 of the 2 voting members that the gateway knows are left, and a majority is 2/,
    ],
    [
      "it is drained already",
      ({ status }) => Object.assign(status.endpoints[0], { state: "held", hold: "drained" }),
      /10\.0\.0\.1:2379 is drained already, by another gw maintain or an operator; .*; --force to run the command all the same\n$/,
    ],
    [
      "it is marked down during the checks",
      stub => {
        stub.answer = () => {
          Object.assign(stub.status.endpoints[0], { state: "held", hold: "down" });
          return [200, { healthy: true }];
        };
      },
      /10\.0\.0\.1:2379 is marked down already, by another gw maintain or an operator/,
    ],
    ["it is the only one", ({ status }) => void status.endpoints.splice(1), /is the only endpoint/],
  ])("refuses where %s", async (_, change, message) => {
    await using stub = await startAdminStub();
    change(stub);
    const run = await maintain(stub, "--", "echo", "ran");
    expect(run).toMatchObject({ code: 1, stdout: "" });
    expect(run.stderr).toMatch(message);
    expect(holds(stub)).toEqual([]);
  });

  test("goes on where connections stay, and with --force where others are unhealthy", async () => {
    await using stub = await startAdminStub();
    stub.status.endpoints[1].state = "down";
    const act = stub.answer;
    stub.answer = async (action, query) => {
      const answer = await act(action, query);
      stub.status.endpoints[0].connections = 1;
      return answer;
    };
    const run = await maintain(stub, "--force", "--drain-timeout=300ms", "--", "echo", "ran");
    expect(run).toMatchObject({ code: 0, stdout: "ran\n" });
    expect(run.stderr).toContain("still has 1 connection after 300ms; going on");
    expect(stub.actions).toContain("drain?endpoint=10.0.0.1%3A2379&force=true");
  });

  test("with --force, leaves an endpoint held that was held before", async () => {
    await using stub = await startAdminStub();
    Object.assign(stub.status.endpoints[0], { state: "held", hold: "drained" });
    const run = await maintain(stub, "--force", "--", "echo", "ran");
    expect(run).toMatchObject({ code: 0, stdout: "ran\n" });
    expect(run.stderr).toContain("was drained before, and stays so");
    expect(holds(stub)).toEqual([]);
    expect(stub.status.endpoints[0].state).toBe("held");
  });

  test("an endpoint that an operator takes back while the command runs counts as taken back", async () => {
    await using stub = await startAdminStub();
    const run = await maintain(
      stub,
      "--",
      "sh",
      "-c",
      `${process.execPath} ${bin} undrain ${endpoint}; exit 7`,
    );
    expect(run).toMatchObject({ code: 7, stdout: `${endpoint} is taken back\n` });
    expect(run.stderr).toContain(
      `${endpoint} is taken back already: an operator took it back, or the gateway restarted\n`,
    );
    expect(holds(stub)).toEqual(["drain", "undrain"]);
  });

  test("so does one that an operator takes back at the same moment", async () => {
    await using stub = await startAdminStub();
    const act = stub.answer;
    stub.answer = async (action, query) => {
      const answer = await act(action, query);
      return action === "undrain" ? act(action, query) : answer;
    };
    const run = await maintain(stub, "--", "true");
    expect(run).toMatchObject({ code: 0 });
    expect(run.stderr).toContain(`${endpoint} is taken back already`);
    expect(holds(stub)).toEqual(["drain", "undrain"]);
  });

  test.each([
    [
      "once",
      1,
      0,
      "ran\n",
      /is not drained any more: .*; draining it again\n(.*\n)*.*healthy and taken back/,
    ],
    ["twice", 2, 1, "", /does not stay drained: an operator took it back, or the gateway restarted/],
  ])("a drain that the gateway forgets %s", async (_, forgotten, code, stdout, message) => {
    await using stub = await startAdminStub();
    const act = stub.answer;
    let drains = 0;
    stub.answer = (action, query) =>
      action === "drain" && ++drains <= forgotten ? [200, { done: true }] : act(action, query);
    const run = await maintain(stub, "--", "echo", "ran");
    expect(run).toMatchObject({ code, stdout });
    expect(run.stderr).toMatch(message);
    expect(holds(stub)).toEqual(["drain", "drain", "undrain"]);
  });

  test("a command that is not found is 127, and the endpoint is taken back", async () => {
    await using stub = await startAdminStub();
    const run = await maintain(stub, "--", "no-such-command-of-gw");
    expect(run.code).toBe(127);
    expect(holds(stub)).toEqual(["drain", "undrain"]);
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s ends the command, and the endpoint is taken back",
    async signal => {
      await using stub = await startAdminStub();
      await using gw = startProgram(
        process.execPath,
        [
          bin,
          "maintain",
          endpoint,
          `--admin-addr=${stub.address}`,
          "--",
          "sh",
          "-c",
          "echo ran; exec sleep 60",
        ],
        {},
      );
      await gw.printed(/^ran$/m);
      gw.kill(signal);
      const { code } = await gw.exit;
      expect(code).toBe(128 + { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[signal]);
      expect(holds(stub)).toEqual(["drain", "undrain"]);
    },
  );

  test("SIGTERM while connections end skips the command", async () => {
    await using stub = await startAdminStub();
    const act = stub.answer;
    stub.answer = async (action, query) => {
      const answer = await act(action, query);
      stub.status.endpoints[0].connections = 1;
      return answer;
    };
    await using gw = startProgram(process.execPath, [
      ...[bin, "maintain", endpoint, `--admin-addr=${stub.address}`, "--", "echo", "ran"],
    ]);
    await gw.printed(/waiting for 1 connection to end/);
    gw.kill("SIGTERM");
    expect(await gw.exit).toMatchObject({ code: 143, stdout: "" });
    expect(holds(stub)).toEqual(["drain", "undrain"]);
  });

  test("an endpoint that stays unhealthy is not taken back, and the error says how", async () => {
    await using stub = await startAdminStub();
    const act = stub.answer;
    stub.answer = (action, query) =>
      action === "check" && query.get("endpoint") === endpoint
        ? [200, { healthy: false, reason: "no leader" }]
        : act(action, query);
    const run = await maintain(stub, "--recover-timeout=1500ms", "--", "true");
    expect(run.code).toBe(1);
    expect(run.stderr).toContain(
      `was not taken back: no leader; when it is healthy, run: gw undrain --admin-addr=${stub.address} ${endpoint}`,
    );
    expect(holds(stub)).toEqual(["drain"]);
  });
});

describe.skipIf(missing("etcd", "etcdctl"))("with a real gateway and a real cluster", () => {
  test("a member is defragmented without its clients", async () => {
    await using cluster = await startEtcd(3);
    const admin = "--admin-addr=127.0.0.1:0";
    await using gw = await startGw([
      `--endpoints=${cluster.endpoints}`,
      admin,
      "--admin-actions",
      "--selector=first",
    ]);
    const address = String((await gw.logged(/^admin server ready$/))["address"]);
    const env = { GW_ADMIN_ADDR: address };
    const [first] = cluster.members;
    const member = first?.endpoint ?? "";
    const client = await connectTo(gw.port);
    const ended = outcome(client);
    await gw.logged(/connected/);
    const drained = await runGw(["drain", "--down", "--wait=10s", member], { env });
    expect(drained).toMatchObject({ code: 0, stderr: "" });
    await ended;
    const refused = await runGw(["maintain", member, "--", "echo", "ran"], { env });
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain(`${member} is marked down already`);
    const held = await runGw(["maintain", "--force", member, "--", "true"], { env });
    expect(held.stderr).toContain("was drained before");
    expect(await runGw(["undrain", member], { env })).toMatchObject({ code: 0 });
    const run = await runGw(
      ["maintain", member, "--", "sh", "-c", 'etcdctl --endpoints="$GW_ENDPOINT" defrag'],
      {
        env: { ...env, ETCDCTL_API: "3" },
      },
    );
    expect(run.stderr).toContain(`${member} is healthy and taken back`);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stdout).toContain("Finished defragmenting etcd member");
    const other = cluster.members[1]?.endpoint ?? "";
    await using long = startProgram(process.execPath, [
      bin,
      "maintain",
      member,
      `--admin-addr=${address}`,
      "--",
      "sh",
      "-c",
      "echo ran; exec sleep 60",
    ]);
    await long.printed(/^ran$/m);
    const second = await runGw(["maintain", other, "--", "true"], { env });
    expect(second).toMatchObject({ code: 1 });
    expect(second.stderr).toContain(`${member} is drained`);
    long.kill("SIGTERM");
    expect(await long.exit).toMatchObject({ code: 143 });
    const { stdout } = await runGw(["top"], { env });
    expect(stdout).toMatch(new RegExp(`^ *${member} +up `, "m"));
  });
});

describe.skipIf(missing("python3"))("gw maintain at a terminal", () => {
  const command = "trap 'echo interrupted; exit 9' INT; echo ran; sleep 60 & wait";

  test("Ctrl-C reaches the command once, and the endpoint is taken back", async () => {
    await using stub = await startAdminStub();
    const args = ["maintain", endpoint, `--admin-addr=${stub.address}`, "--", "sh", "-c", command];
    await using terminal = startAtTerminal([process.execPath, bin, ...args]);
    await terminal.until(({ output }) => /^ran/m.test(output));
    terminal.type("\u0003");
    expect(await terminal.exit).toBe(9);
    expect(terminal.output.match(/interrupted\r*\n/g)).toHaveLength(1);
    expect(holds(stub)).toEqual(["drain", "undrain"]);
  });

  test("the endpoint is taken back where the terminal is closed", async () => {
    await using stub = await startAdminStub();
    const args = [
      "maintain",
      endpoint,
      `--admin-addr=${stub.address}`,
      "--",
      "sh",
      "-c",
      "echo ran; exec sleep 60",
    ];
    await using terminal = startAtTerminal([process.execPath, bin, ...args]);
    await terminal.until(({ output }) => /^ran/m.test(output));
    terminal.hangUp();
    expect(await terminal.exit).toBe(129);
    expect(holds(stub)).toEqual(["drain", "undrain"]);
  });
});
