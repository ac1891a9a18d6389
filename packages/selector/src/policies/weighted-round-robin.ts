import { type Candidate, type Endpoint, formatAddress, type Selector } from "@gw/interface";

/** The state of one endpoint. */
interface Turn {
  /** Its claim on the next pick: grows by its weight with each pick, and shrinks by all weights when it is picked. */
  credit: number;
  /** The number of the pick that it was last offered for. */
  seenAt: number;
}

/** An endpoint that was not offered for this many picks starts from scratch. */
const memory = 1_000;

/**
 * Endpoints take connections in turn, each as often as its SRV weight says, and as evenly spread as that can be: of
 * weights 5, 1 and 1 the turns are a a b a c a a ("smooth", as nginx and HAProxy do it). If all weights are 0, all
 * are equal; otherwise an endpoint of weight 0 gets nothing.
 *
 * Use it when endpoints differ in strength, or are to be phased in or out by their weights, and connections are similar.
 */
export function weightedRoundRobin(): Selector {
  const turns = new Map<string, Turn>();
  /** The same by object, since formatting the address of each endpoint for each pick is slow. */
  const known = new WeakMap<Endpoint, Turn>();
  let picks = 0;

  const turnOf = (endpoint: Endpoint): Turn => {
    const name = formatAddress(endpoint);
    const turn = turns.get(name) ?? { credit: 0, seenAt: picks };
    turns.set(name, turn);
    known.set(endpoint, turn);
    return turn;
  };

  const forget = (): void => {
    for (const [name, turn] of turns)
      if (picks - turn.seenAt > memory) {
        turns.delete(name);
        turn.credit = 0;
      }
  };

  return {
    picksAhead: true,
    pick(candidates) {
      picks += 1;
      if (picks % memory === 0) forget();
      const weighted = candidates.some(({ endpoint }) => endpoint.weight > 0);
      let total = 0;
      let best: { candidate: Candidate; turn: Turn } | undefined;
      for (const candidate of candidates) {
        const { endpoint } = candidate;
        const weight = weighted ? endpoint.weight : 1;
        if (weight === 0) continue;
        const turn = known.get(endpoint) ?? turnOf(endpoint);
        turn.seenAt = picks;
        turn.credit += weight;
        total += weight;
        if (!best || turn.credit > best.turn.credit) best = { candidate, turn };
      }
      if (best) best.turn.credit -= total;
      return best?.candidate;
    },
  };
}
