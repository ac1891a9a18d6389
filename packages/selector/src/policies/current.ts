import { type Candidate, type Endpoint, sameEndpoint } from "@gw/interface";
import type { CandidateView } from "./candidate-view.js";

/** The endpoint that a sticky policy uses; finding it takes as long among ten thousand candidates as among three. */
export class Current {
  #endpoint: Endpoint | undefined;
  /** Its index at the last look: most likely it is still there. */
  #position = 0;

  /** Undefined before the first. */
  get endpoint(): Endpoint | undefined {
    return this.#endpoint;
  }

  /** Its candidate; undefined if it is not among them. */
  in(candidates: CandidateView): Candidate | undefined {
    const endpoint = this.#endpoint;
    if (!endpoint) return undefined;
    const here = candidates.at(this.#position);
    if (here && sameEndpoint(here.endpoint, endpoint)) return this.use(here);
    const position = candidates.indexOf(endpoint);
    if (position < 0) return undefined;
    this.#position = position;
    return this.use(candidates.at(position));
  }

  /** Uses the endpoint of `candidate` from now on. @returns `candidate` */
  use(candidate: Candidate | undefined): Candidate | undefined {
    if (candidate) this.#endpoint = candidate.endpoint;
    return candidate;
  }
}
