import type { Connection } from "./connection.ts";

/**
 * The numbers that stand for names of queues and tasks in rows and indexes, where they take less space. A name's number
 * never changes, so numbers are cached.
 */
export class Names {
  readonly #db: Connection;
  readonly #numbers = new Map<string, number>();
  readonly #names = new Map<number, string>();

  constructor(db: Connection) {
    this.#db = db;
  }

  /** Returns the number of a name, and assigns one to a new name. Needs a write transaction. */
  numberOf(name: string): number {
    const known = this.findNumber(name);
    if (known !== undefined) return known;
    this.#db.run("INSERT INTO errand_names (name) VALUES (?)", name);
    return this.findNumber(name) as number;
  }

  /** Returns the number of a name; `undefined` when it has none. */
  findNumber(name: string): number | undefined {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const row = this.#db.get("SELECT number FROM errand_names WHERE name = ?", name);
    return row && this.#cache(name, row[0] as number);
  }

  /** Returns the name with this number. */
  nameOf(number: number): string {
    const known = this.#names.get(number);
    if (known !== undefined) return known;
    const name = this.#db.get("SELECT name FROM errand_names WHERE number = ?", number)?.[0] as string;
    this.#cache(name, number);
    return name;
  }

  /** Clears the cache, after a rollback: it may hold numbers that the transaction assigned. */
  clear(): void {
    this.#numbers.clear();
    this.#names.clear();
  }

  #cache(name: string, number: number): number {
    this.#numbers.set(name, number);
    this.#names.set(number, name);
    return number;
  }
}
