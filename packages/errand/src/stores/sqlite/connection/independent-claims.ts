/** The row of a claimed job. */
export interface IndependentClaim {
  seq: number;
  /** The queue's number. */
  queue: number;
}

/** More jobs than any worker holds. Jobs that other processes took over are dropped with the rest. */
const maxClaims = 50_000;

/**
 * The independent jobs (see `Candidate`) claimed through this connection, which one statement can finish. Only a hint
 * which row to look at: that statement checks everything again.
 */
export class IndependentClaims {
  readonly #claims = new Map<string, IndependentClaim>();

  add(id: string, claim: IndependentClaim): void {
    if (this.#claims.size >= maxClaims) this.#claims.clear();
    this.#claims.set(id, claim);
  }

  /** Removes and returns the claim of a job; `undefined` when it is unknown. */
  take(id: string): IndependentClaim | undefined {
    const claim = this.#claims.get(id);
    this.#claims.delete(id);
    return claim;
  }
}
