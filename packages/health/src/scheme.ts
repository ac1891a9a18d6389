import { type Clock, type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import type { HttpClient, Patience } from "./http-client.js";
import type { Answer, Question } from "./http-exchange.js";
import { remember } from "./remember.js";

/** Asks endpoints whether or not they have said that they speak TLS. */
export interface Asker {
  /** See {@link HttpClient.ask}. */
  ask(endpoint: Endpoint, question: Question, patience: Patience): Promise<Answer>;
  /** Whether the endpoint speaks TLS, as far as is known. */
  secure(endpoint: Endpoint): boolean;
}

/**
 * An endpoint that did not say is asked in plain text first. A server that wants TLS hangs up then (etcd), or says so
 * by an alert or in words (Go): it is asked over TLS from then on, until that fails.
 */
export function askEitherWay(client: HttpClient, clock: Clock): Asker {
  const spoken = remember(clock, () => ({ tls: false }));
  const schemeOf = (endpoint: Endpoint): { tls: boolean } => spoken.of(formatAddress(endpoint));

  const overTls = async (endpoint: Endpoint, question: Question, patience: Patience): Promise<Answer> => {
    const scheme = schemeOf(endpoint);
    scheme.tls = true;
    try {
      return await client.ask(endpoint, true, question, patience);
    } catch (error) {
      // A server that refuses this side's certificate does speak TLS. Else it is found out anew.
      scheme.tls = codeOf(error) === "certificate-refused";
      throw error;
    }
  };

  return {
    secure: endpoint => endpoint.secure ?? schemeOf(endpoint).tls,
    async ask(endpoint, question, patience) {
      if (endpoint.secure !== undefined) return client.ask(endpoint, endpoint.secure, question, patience);
      if (schemeOf(endpoint).tls) return overTls(endpoint, question, patience);
      try {
        const answer = await client.ask(endpoint, false, question, patience);
        if (!(answer.status === 400 && /HTTPS server/.test(answer.text))) return answer;
      } catch (error) {
        if (codeOf(error) === "untrusted") return overTls(endpoint, question, patience);
        if (codeOf(error) !== "reset") throw error;
        return overTls(endpoint, question, patience).catch(reason => {
          // It may just be a server that hangs up.
          throw codeOf(reason) === "reset" ? error : reason;
        });
      }
      return overTls(endpoint, question, patience);
    },
  };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof GatewayError ? error.code : undefined;
}
