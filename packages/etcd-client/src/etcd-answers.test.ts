import { describe, expect, test } from "vitest";
import { readHealth, readIdentity, readReadyz, readStatus, readVersion } from "./etcd-answers.js";

const reply = (status: number, text: string) => ({ status, text });
const notFound = reply(404, "404 page not found\n");
const foreign = [
  notFound,
  reply(200, ""),
  reply(200, "ok"),
  reply(200, "<!doctype html>"),
  reply(200, "null"),
  reply(200, "[]"),
  reply(200, '{"health":{}}'),
  reply(200, '{"status":"pass"}'),
  reply(302, '{"health":"true"}'),
  reply(500, '{"health":"false"}'),
  reply(200, "[+]ping ok\n[+]log ok\n[+]etcd ok\nreadyz check passed\n"),
];

describe("/health", () => {
  test.each([
    ["3.4 and well", reply(200, '{"health":"true"}'), {}],
    ["3.5 and well", reply(200, '{"health":"true","reason":""}'), {}],
    ["3.2 and well", reply(200, '{"health":true}'), {}],
    ["3.4 and not", reply(503, '{"health":"false"}\n'), { condition: "no-consensus" }],
    ["without a leader", health("RAFT NO LEADER"), ailing("no-leader", "RAFT NO LEADER")],
    ["corrupt somewhere", health("ALARM CORRUPT"), ailing("corrupt", "ALARM CORRUPT")],
    ["out of space", health("ALARM NOSPACE"), {}],
    ["under an alarm of the future", health("ALARM UNKNOWN"), ailing("unhealthy", "ALARM UNKNOWN")],
    [
      "without a quorum",
      health("RANGE ERROR:etcdserver: request timed out"),
      ailing("no-consensus", "RANGE ERROR:etcdserver: request timed out"),
    ],
    [
      "without a quorum, of v2",
      health("QGET ERROR:context deadline exceeded"),
      ailing("no-consensus", "QGET ERROR:context deadline exceeded"),
    ],
    ["guarded by authentication", health("RANGE ERROR:auth: user name is empty"), {}],
  ])("of an etcd that is %s", (_, answer, finding) => expect(readHealth(answer)).toEqual(finding));

  test.each(foreign)("of something else: $status $text", answer =>
    expect(readHealth(answer)).toBeUndefined(),
  );

  test("quotes the text of a server", () => {
    expect(readHealth(health("RANGE ERROR:\u001b[2J\n"))?.reason).toBe('"RANGE ERROR:\\u001b[2J\\n"');
  });
});

describe("/readyz", () => {
  // The order of the lines is that of a Go map, so any.
  const well = "[+]serializable_read ok\n[+]data_corruption ok\n[+]linearizable_read ok\n";
  test.each([
    ["3.5.11 and well", reply(200, `${well}ok\n`), {}],
    ["3.6 and well", reply(200, `[+]non_learner ok\n${well}ok\n`), {}],
    [
      "without a leader",
      reply(
        503,
        "[+]serializable_read ok\n[-]linearizable_read failed: etcdserver: no leader\n[+]data_corruption ok\n\n",
      ),
      ailing("no-consensus", "linearizable_read: etcdserver: no leader"),
    ],
    [
      "a learner",
      reply(503, `${well}[-]non_learner failed: not supported for learner\n\n`),
      ailing("learner", "non_learner: not supported for learner"),
    ],
    [
      "corrupt somewhere",
      reply(
        503,
        "[-]linearizable_read failed: etcdserver: corrupt cluster\n[-]data_corruption failed: alarm activated: CORRUPT\n\n",
      ),
      ailing("corrupt", "data_corruption: alarm activated: CORRUPT"),
    ],
    [
      "unable to read what it has",
      reply(
        503,
        "[-]linearizable_read failed: context canceled\n[-]serializable_read failed: mvcc: gone\n\n",
      ),
      ailing("unhealthy", "serializable_read: mvcc: gone"),
    ],
    [
      "failing a check of the future",
      reply(503, `${well}[-]constructor failed: no\n\n`),
      ailing("unhealthy", "constructor: no"),
    ],
  ])("of an etcd that is %s", (_, answer, finding) => expect(readReadyz(answer)).toEqual(finding));

  test.each(foreign)("of something else: $status $text", answer =>
    expect(readReadyz(answer)).toBeUndefined(),
  );
});

describe("the status", () => {
  const of = (rest: string) =>
    reply(
      200,
      `{"header":{"cluster_id":"10101560796677756362","member_id":"10221683743416816908","revision":"1","raft_term":"2"},"version":"3.4.23","dbSize":"20480"${rest}}`,
    );
  test("of a member that knows a leader", () =>
    expect(readStatus(of(',"leader":"10221683743416816908","raftIndex":"6"'))).toEqual({
      leader: true,
      learner: false,
      alarms: [],
    }));
  test("of one that knows none", () =>
    expect(readStatus(of(',"errors":["etcdserver: no leader"]'))).toEqual({
      leader: false,
      learner: false,
      alarms: [],
    }));
  test("of a learner", () =>
    expect(readStatus(of(',"leader":"1","isLearner":true,"dbSizeQuota":"2147483648"'))).toMatchObject({
      learner: true,
    }));
  test("of one with alarms of its own and of others", () =>
    expect(
      readStatus(
        of(
          ',"leader":"1","errors":["memberID:10221683743416816908 alarm:NOSPACE ","memberID:7  alarm:CORRUPT","alarm:CORRUPT "]',
        ),
      ),
    ).toMatchObject({
      alarms: [
        { alarm: "NOSPACE", own: true },
        { alarm: "CORRUPT", own: false },
        { alarm: "CORRUPT", own: false },
      ],
    }));
  test.each([
    ...foreign,
    reply(401, '{"error":"auth: user name is empty","code":16}'),
    reply(200, '{"header":null}'),
    reply(200, '{"header":{"member_id":7}}'),
  ])("is not in $status $text", answer => expect(readStatus(answer)).toBeUndefined());
});

describe("the identity", () => {
  const of = (rest: object) => ({
    status: 200,
    text: JSON.stringify({ header: { member_id: "255", cluster_id: "4096" }, ...rest }),
  });

  test("has ids in hexadecimal, and lacks what is zero or left out", () => {
    expect(readIdentity(of({ leader: "18446744073709551615", version: "3.5.9", dbSize: "20480" }))).toEqual({
      memberId: "ff",
      clusterId: "1000",
      leaderId: "ffffffffffffffff",
      version: "3.5.9",
      learner: false,
      dbSizeBytes: 20_480,
    });
    expect(readIdentity(of({ leader: "0", isLearner: true }))).toEqual({
      memberId: "ff",
      clusterId: "1000",
      learner: true,
    });
  });

  test.each([
    { status: 401, text: '{"header":{"member_id":"1"}}' },
    { status: 200, text: "x" },
    { status: 200, text: '{"header":{"member_id":1}}' },
    { status: 200, text: '{"header":{"member_id":"0x1"}}' },
    { status: 200, text: "null" },
  ])("is none in $status $text", reply => {
    expect(readIdentity(reply)).toBeUndefined();
  });

  test.each([
    ["3.4.23", "3.4.23"],
    ["3.6.0-rc.1+git", "3.6.0-rc.1+git"],
    ["3.5.0\u001b[2J", undefined],
    [`3.5.0${"x".repeat(100)}`, undefined],
    ["", undefined],
  ])("has of %j the version %j", (etcdserver, version) => {
    expect(readVersion({ status: 200, text: JSON.stringify({ etcdserver }) })).toBe(version);
  });
});

function health(reason: string) {
  return reply(503, `${JSON.stringify({ health: "false", reason })}\n`);
}

function ailing(condition: string, reason: string) {
  return { condition, reason: JSON.stringify(reason) };
}
