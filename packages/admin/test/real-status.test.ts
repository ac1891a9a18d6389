import type { Status } from "@gw/admin";
import { freePort, missing, startEtcd, startGw } from "@gw/testing";
import { Ajv2020, type AnySchema } from "ajv/dist/2020.js";
import { expect, test } from "vitest";

test.skipIf(missing("etcd"))("the status of a gateway is valid by the schema that it serves", async () => {
  await using etcd = await startEtcd(3);
  const admin = `127.0.0.1:${await freePort()}`;
  const unused = `127.0.0.1:${await freePort()}`;
  await using gw = await startGw([
    `--endpoints=${etcd.endpoints},${unused}`,
    `--admin-addr=${admin}`,
    "--admin-actions",
  ]);
  await gw.logged(/^endpoint down$/, { endpoint: unused });
  const schema = (await (await fetch(`http://${admin}/schema/status.json`)).json()) as AnySchema;
  const validate = new Ajv2020({ strict: true, allErrors: true, validateFormats: false }).compile(schema);
  const status = (await (await fetch(`http://${admin}/status`)).json()) as Status;
  expect(validate(status)).toBe(true);
  expect(validate.errors).toBeNull();
  expect(status).toMatchObject({ schema: 1, ready: true });
  expect(status.endpoints.map(({ state }) => state)).toEqual(["up", "up", "up", "down"]);
  expect((await fetch(`http://${admin}/readyz`)).status).toBe(200);
});
