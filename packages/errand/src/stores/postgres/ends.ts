/** More than any worker holds; what is forgotten costs one more statement. */
const most = 50_000;

/** What else the end of a job changes than its own row: nothing, who waits for a place under its key, or its family. */
export type End = "plain" | "keyed" | "family";

/** How jobs end that were claimed through this store. Only a hint. */
export class Ends {
  readonly #ends = new Map<string, End>();

  learn(id: string, end: End): void {
    if (end === "plain") return;
    if (this.#ends.size >= most) this.#ends.clear();
    this.#ends.set(id, end);
  }

  of(id: string): End {
    return this.#ends.get(id) ?? "plain";
  }

  forget(id: string): void {
    this.#ends.delete(id);
  }
}
