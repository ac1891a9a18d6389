import { createHttpClient, type HttpClient, type TlsContext } from "@gw/etcd-client";
import { GatewayError } from "@gw/interface";
import {
  failed,
  guarded,
  healthy,
  healthyByHandshake,
  type KeptProbe,
  operationOf,
  type ProbeOptions,
  type ProbeSettings,
  type ProbeTlsOptions,
  probeSettings,
  probeTls,
  timeoutOf,
  unhealthy,
} from "./probe.js";
import { probeAt, probeTarget, type TargetOptions } from "./target.js";

/** Options of the probes that send HTTP requests. */
export interface HttpProbeOptions extends ProbeOptions, ProbeTlsOptions, TargetOptions {}

/** The client of these probes: one connection to each endpoint, and TLS where an endpoint turns out to want it. */
export function probeClient(settings: ProbeSettings, tls: TlsContext): HttpClient {
  return createHttpClient({ ...settings, tls, operation: operationOf, keepAlive: true, detectTls: true });
}

/**
 * A probe of check `http`: a GET of `path` (`/health`) is answered with a status from 200 to 299. Redirects are not
 * followed, and no proxy is used. One connection to each endpoint is kept. If an endpoint refuses
 * this side's client certificate, only its TLS handshake is checked, and the verdict's note says so.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function httpProbe(options: HttpProbeOptions = {}): KeptProbe {
  const settings = probeSettings(options);
  const client = probeClient(settings, probeTls(options));
  const targetOf = probeTarget(options);
  const probe = guarded("http", async (endpoint, signal, request) => {
    const operation = operationOf(endpoint);
    const { endpoint: target, path = "/health" } = targetOf(endpoint);
    try {
      const limits = { timeoutMs: timeoutOf(settings, request), signal };
      const { status } = await client.request(target, { path }, limits);
      if (status >= 200 && status <= 299) return healthy("http");
      const what = status >= 300 && status <= 399 ? "a redirect, which is not followed" : "a refusal";
      const detail = `${operation}: it answers with ${what} (${status})`;
      return unhealthy("http", new GatewayError("unhealthy", detail), "endpoint");
    } catch (thrown) {
      const error = GatewayError.from(thrown, operation);
      return error.code === "certificate-refused" ? healthyByHandshake(error) : failed("http", error);
    }
  });
  return Object.assign(probeAt(targetOf, probe), { close: client.close });
}
