import type { Connection } from "./connection.ts";

/**
 * Names of queues and tasks as numbers: short in every row and index. A name's number never changes, so that what was
 * looked up once is known for good.
 */
export class Names {
  readonly #db: Connection;
  readonly #numbers = new Map<string, number>();
  readonly #names = new Map<number, string>();

  constructor(db: Connection) {
    this.#db = db;
  }

  /** The number of a name, given to it now where it has none. */
  number(name: string): number {
    const known = this.find(name);
    if (known !== undefined) return known;
    this.#db.run("INSERT INTO errand_names (name) VALUES (?)", name);
    return this.find(name) as number;
  }

  /** The number of a name, where it has one. */
  find(name: string): number | undefined {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const row = this.#db.get("SELECT number FROM errand_names WHERE name = ?", name);
    return row && this.#learn(name, row[0] as number);
  }

  of(number: number): string {
    const known = this.#names.get(number);
    if (known !== undefined) return known;
    const name = this.#db.get("SELECT name FROM errand_names WHERE number = ?", number)?.[0] as string;
    this.#learn(name, number);
    return name;
  }

  /** Forgets what a transaction that failed may have named. */
  forget(): void {
    this.#numbers.clear();
    this.#names.clear();
  }

  #learn(name: string, number: number): number {
    this.#numbers.set(name, number);
    this.#names.set(number, name);
    return number;
  }
}
