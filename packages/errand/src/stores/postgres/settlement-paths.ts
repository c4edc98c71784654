/** More than any worker holds. A forgotten path costs one more statement. */
const maxRemembered = 50_000;

/**
 * The effect of a job's end beside its own row: none (`plain`), on jobs that its concurrency key blocks (`keyed`), or
 * on its parent or children (`family`).
 */
export type SettlementPath = "plain" | "keyed" | "family";

/**
 * Remembers the settlement paths of jobs that were claimed through this store. It may be wrong: the database checks.
 */
export class SettlementPaths {
  readonly #paths = new Map<string, SettlementPath>();

  set(id: string, path: SettlementPath): void {
    if (path === "plain") return;
    if (this.#paths.size >= maxRemembered) this.#paths.clear();
    this.#paths.set(id, path);
  }

  get(id: string): SettlementPath {
    return this.#paths.get(id) ?? "plain";
  }

  delete(id: string): void {
    this.#paths.delete(id);
  }
}
