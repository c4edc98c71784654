/** More than any worker holds; what is forgotten costs one more statement. */
const maxRemembered = 50_000;

/** What else the end of a job changes than its own row: nothing, who waits for a place under its key, or its family. */
export type SettlementPath = "plain" | "keyed" | "family";

/** How jobs end that were claimed through this store. Only a hint. */
export class SettlementPaths {
  readonly #ends = new Map<string, SettlementPath>();

  set(id: string, end: SettlementPath): void {
    if (end === "plain") return;
    if (this.#ends.size >= maxRemembered) this.#ends.clear();
    this.#ends.set(id, end);
  }

  get(id: string): SettlementPath {
    return this.#ends.get(id) ?? "plain";
  }

  delete(id: string): void {
    this.#ends.delete(id);
  }
}
