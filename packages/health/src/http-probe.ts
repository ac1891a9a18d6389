import { GatewayError, type Verdict } from "@gw/interface";
import { createHttpClient } from "./http-client.js";
import { doingOf, type KeptProbe, type ProbeOptions, probeSettings, probing } from "./probing.js";
import { askEitherWay } from "./scheme.js";
import { type TlsOptions, tlsSide } from "./tls-side.js";
import { failed, ill, well, wellByHandshake } from "./verdict.js";
import { type WhereOptions, whereToAsk } from "./where.js";

/** Options of the probes that ask in HTTP. */
export interface HttpProbeOptions extends ProbeOptions, TlsOptions, WhereOptions {}

/**
 * A probe of level `http`: a GET of `path` (`/health`) is answered with a status from 200 to 299. Redirects are not
 * followed, and no proxy is used. One connection to each endpoint is kept, for a minute at most. Where one refuses
 * this side's client certificate, its TLS handshake is all that is looked at, and the verdict's note says so.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function httpProbe(options: HttpProbeOptions = {}): KeptProbe {
  const settings = probeSettings(options);
  const client = createHttpClient({ ...settings, tls: tlsSide(options) });
  const asker = askEitherWay(client, settings.clock);
  const where = whereToAsk(options);
  const probe = probing("http", async (endpoint, signal): Promise<Verdict> => {
    const doing = doingOf(endpoint);
    const { endpoint: asked, path = "/health" } = where(endpoint);
    try {
      const { status } = await asker.ask(asked, { path }, { timeoutMs: settings.timeoutMs, signal });
      if (status >= 200 && status <= 299) return well("http");
      const what = status >= 300 && status <= 399 ? "a redirect, which is not followed" : "a refusal";
      return ill(
        "http",
        new GatewayError("unhealthy", `${doing}: it answers with ${what} (${status})`),
        "endpoint",
      );
    } catch (thrown) {
      const error = GatewayError.from(thrown, doing);
      if (error.code === "certificate-refused") return wellByHandshake(error);
      return failed("http", error);
    }
  });
  return Object.assign(probe, { close: client.close });
}
