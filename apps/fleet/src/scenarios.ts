import type { Fleet } from "./fleet.js";
import type { GatewaySettings } from "./gateway.js";
import type { Member } from "./model/member.js";

/** Something that happens, so many milliseconds after the fleet has settled. */
interface Happening {
  readonly atMs: number;
  readonly run: (fleet: Fleet) => void;
}

/** One set-up of all gateways. */
export interface SetUp {
  readonly name: string;
  readonly settings: GatewaySettings;
  /** Whether the targets apply; other set-ups are shown for comparison. @default true */
  readonly isHeld?: boolean | undefined;
  /** How long it is observed. @default as long as the scenario says */
  readonly observedMs?: number | undefined;
}

/** What happens to a fleet, and how long it is observed. Times are in milliseconds. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly what: string;
  readonly setUps: readonly SetUp[];
  /** Before anything happens, and before anything is counted. */
  readonly settleMs: number;
  readonly observedMs: number;
  readonly happenings: readonly Happening[];
  /** The most cores of the whole cluster that the checks of ten thousand gateways may take on average. */
  readonly maxCores?: number | undefined;
  /** The largest difference from a fair share at the end, as a part of it. */
  readonly maxUnfair?: number | undefined;
}

const second = 1_000;
const minute = 60 * second;

const pinging = { requestEveryMs: 0, pingEveryMs: 10 * second };
const busy = { requestEveryMs: 5 * second, pingEveryMs: 0 };

/** Two clients on each machine: one that works, and one that only watches, with keepalive PINGs. */
const mixed = [busy, pinging];
/** What is recommended for fleets. */
const recommended: SetUp = {
  name: "failback=5m",
  settings: { clients: mixed, failbackMs: 5 * minute },
};
/** Nothing changes any more once all members are up again. */
const withoutFailback: SetUp = {
  name: "no failback",
  settings: { clients: mixed },
  isHeld: false,
  observedMs: 12 * minute,
};

const settleMs = 2 * minute;

/** The member with this number, from 0. */
function memberAt({ cluster }: Fleet, number: number): Member {
  return cluster.voters[number] as Member;
}

/** A member is shut down, and starts again after `downMs`. */
function restart(number: number, atMs: number, downMs: number): Happening[] {
  return [
    { atMs, run: fleet => fleet.cluster.stop(memberAt(fleet, number), "shutdown") },
    { atMs: atMs + downMs, run: fleet => fleet.cluster.start(memberAt(fleet, number)) },
  ];
}

/** A new member joins and is in DNS at once; the oldest leaves DNS a minute and a half later, and is shut down at last. */
function replaceOldest(atMs: number): Happening[] {
  const publish = ({ dns, cluster }: Fleet, leaving?: Member): void =>
    dns.publish(cluster.voters.filter(member => member !== leaving).map(({ host }) => host));
  return [
    {
      atMs,
      run(fleet) {
        fleet.cluster.add();
        publish(fleet);
      },
    },
    { atMs: atMs + 90 * second, run: fleet => publish(fleet, memberAt(fleet, 0)) },
    { atMs: atMs + 240 * second, run: fleet => fleet.cluster.remove(memberAt(fleet, 0)) },
  ];
}

export const scenarios: readonly Scenario[] = [
  {
    name: "idle",
    title: "Idle day",
    what: "Nothing happens. Twelve minutes of the day are simulated, the longest time between two checks, after twelve in which the fleet settles; the rest of the day is the same.",
    setUps: [
      { name: "no connections", settings: { clients: [] } },
      { name: "answered traffic", settings: { clients: mixed } },
      { name: "silent watches", settings: { clients: [pinging, pinging] }, isHeld: false },
    ],
    settleMs: 12 * minute,
    observedMs: 12 * minute,
    happenings: [],
    maxCores: 0.3,
  },
  {
    name: "crash",
    title: "Crash of a member",
    what: "The process of the leader is killed, and starts again after five minutes.",
    setUps: [recommended],
    settleMs,
    observedMs: 15 * minute,
    happenings: [
      { atMs: 0, run: ({ cluster }) => cluster.stop(cluster.leader as Member, "crash") },
      {
        atMs: 5 * minute,
        run({ cluster }) {
          for (const member of cluster.voters) cluster.start(member);
        },
      },
    ],
  },
  {
    name: "hang",
    title: "A member hangs",
    what: "The process of the leader is stopped (SIGSTOP): it accepts connections and answers nothing. It goes on after five minutes.",
    setUps: [recommended],
    settleMs,
    observedMs: 15 * minute,
    happenings: [
      { atMs: 0, run: ({ cluster }) => cluster.hang(cluster.leader as Member) },
      {
        atMs: 5 * minute,
        run({ cluster }) {
          for (const member of cluster.voters) cluster.start(member);
        },
      },
    ],
  },
  {
    name: "rolling-restart",
    title: "Rolling restart",
    what: "The members are restarted one after the other, every two minutes; each is down for ten seconds. Then half an hour passes.",
    setUps: [recommended, withoutFailback],
    settleMs,
    observedMs: 8 * minute + 10 * second + 30 * minute,
    happenings: [0, 1, 2, 3, 4].flatMap(number => restart(number, number * 2 * minute, 10 * second)),
    maxUnfair: 0.2,
  },
  {
    name: "partition",
    title: "Partition of a member",
    what: "The leader is cut off from its peers, but not from the gateways, for five minutes.",
    setUps: [recommended],
    settleMs,
    observedMs: 15 * minute,
    happenings: [
      { atMs: 0, run: ({ cluster }) => cluster.cutOff(cluster.leader as Member, true) },
      {
        atMs: 5 * minute,
        run({ cluster }) {
          for (const member of cluster.voters) cluster.cutOff(member, false);
        },
      },
    ],
  },
  {
    name: "dns-outage",
    title: "Outage of DNS",
    what: "DNS does not answer for ten minutes. After five of them a member crashes; it starts again three minutes later.",
    setUps: [recommended],
    settleMs,
    observedMs: 15 * minute,
    happenings: [
      {
        atMs: 0,
        run({ dns }) {
          dns.isOut = true;
        },
      },
      { atMs: 5 * minute, run: fleet => fleet.cluster.stop(memberAt(fleet, 1), "crash") },
      { atMs: 8 * minute, run: fleet => fleet.cluster.start(memberAt(fleet, 1)) },
      {
        atMs: 10 * minute,
        run({ dns }) {
          dns.isOut = false;
        },
      },
    ],
  },
  {
    name: "replacement",
    title: "Cluster replaced member by member",
    what: "Every five minutes a new member joins; a minute and a half later DNS no longer has the oldest, and after two and a half minutes more that one is shut down.",
    setUps: [recommended],
    settleMs,
    observedMs: 26 * minute,
    happenings: [0, 1, 2, 3, 4].flatMap(number => replaceOldest(number * 5 * minute)),
  },
  {
    name: "all-at-once",
    title: "All at once",
    what: "DNS is out, a member is cut off, one hangs, and the other three are restarted at the same time, so that for half a minute nobody can be served. One after the other, all is well again.",
    setUps: [recommended],
    settleMs,
    observedMs: 15 * minute,
    happenings: [
      {
        atMs: 0,
        run(fleet) {
          fleet.dns.isOut = true;
          fleet.cluster.cutOff(memberAt(fleet, 0), true);
          fleet.cluster.hang(memberAt(fleet, 1));
        },
      },
      ...[2, 3, 4].flatMap(number => restart(number, 30 * second + number, 30 * second)),
      { atMs: 2 * minute, run: fleet => fleet.cluster.cutOff(memberAt(fleet, 0), false) },
      { atMs: 4 * minute, run: fleet => fleet.cluster.start(memberAt(fleet, 1)) },
      {
        atMs: 5 * minute,
        run({ dns }) {
          dns.isOut = false;
        },
      },
    ],
  },
];
