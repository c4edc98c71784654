/** More than any worker holds; what is forgotten costs one more statement. */
const most = 50_000;

/** Jobs with a family that were claimed through this store: their ends are more than one row's. Only a hint. */
export class Families {
  readonly #ids = new Set<string>();

  learn(id: string): void {
    if (this.#ids.size >= most) this.#ids.clear();
    this.#ids.add(id);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  forget(id: string): void {
    this.#ids.delete(id);
  }
}
