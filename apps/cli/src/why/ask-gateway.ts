import { request } from "node:http";
import type { EventsAnswer, Status } from "@gw/admin";
import { GatewayError } from "@gw/interface";
import { type AdminAddress, formatAdminAddress } from "../flags/admin.js";

/** How long an answer may take, in milliseconds, and how long it may be, in bytes. */
const [timeoutMs, maxBytes] = [10_000, 32 * 1024 * 1024] as const;

/**
 * What a gateway says of itself now, and its events.
 *
 * @throws {GatewayError} why its admin server does not answer, or that it is none
 */
export async function askGateway(
  address: AdminAddress,
): Promise<{ readonly status: Status; readonly answer: EventsAnswer }> {
  const [status, answer] = await Promise.all([getJson(address, "/status"), getJson(address, "/events")]);
  if (!isStatus(status) || !isEvents(answer))
    throw new GatewayError(
      "unknown",
      `${formatAdminAddress(address)} gave an answer that this version of gw does not understand`,
    );
  return { status, answer };
}

function isStatus(value: unknown): value is Status {
  return isSchema1(value) && "endpoints" in value && Array.isArray(value.endpoints) && "gateway" in value;
}

function isEvents(value: unknown): value is EventsAnswer {
  return isSchema1(value) && "events" in value && Array.isArray(value.events);
}

function isSchema1(value: unknown): value is object {
  return typeof value === "object" && value !== null && "schema" in value && value.schema === 1;
}

async function getJson(address: AdminAddress, path: string): Promise<unknown> {
  const text = await get(address, path);
  try {
    return JSON.parse(text);
  } catch {
    throw new GatewayError("unknown", `${formatAdminAddress(address)} is not the admin server of gw`);
  }
}

function get(address: AdminAddress, path: string): Promise<string> {
  const where = "path" in address ? { socketPath: address.path } : { host: address.host, port: address.port };
  const name = formatAdminAddress(address);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void =>
      reject(GatewayError.from(error, `ask the admin server at ${name}`));
    const asked = request(
      { ...where, path, agent: false, timeout: timeoutMs, signal: AbortSignal.timeout(timeoutMs) },
      response => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > maxBytes) asked.destroy(new GatewayError("unknown", `${name} answered with too much`));
          else chunks.push(chunk);
        });
        response.on("error", fail);
        response.on("end", () => {
          const { statusCode } = response;
          if (statusCode === 200) resolve(Buffer.concat(chunks).toString("utf8"));
          else
            fail(new GatewayError("unknown", `${name} answered ${path} with status ${statusCode}, not 200`));
        });
      },
    );
    asked.on("error", error =>
      fail(
        error.name === "AbortError" || error.name === "TimeoutError"
          ? new GatewayError("timed-out", `the admin server at ${name} did not answer within 10 s`)
          : error,
      ),
    );
    asked.end();
  });
}
