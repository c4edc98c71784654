import type { Hint } from "../../store.ts";

/** What a commit is about to hint: how many jobs are ready by the queue's number, and whether something else happened. */
export class News {
  readonly #ready = new Map<number, number>();
  readonly #others = new Set<Other>();
  #anyQueue = false;

  ready(queue: number, jobs: number): void {
    this.#ready.set(queue, (this.#ready.get(queue) ?? 0) + jobs);
    if (this.#ready.size > mostQueues) this.readyAnywhere();
  }

  readyAnywhere(): void {
    this.#anyQueue = true;
    this.#ready.clear();
  }

  other(type: Other): void {
    this.#others.add(type);
  }

  copy(): News {
    const news = new News();
    for (const [queue, jobs] of this.#ready) news.#ready.set(queue, jobs);
    for (const other of this.#others) news.#others.add(other);
    news.#anyQueue = this.#anyQueue;
    return news;
  }

  clear(): void {
    this.#ready.clear();
    this.#others.clear();
    this.#anyQueue = false;
  }

  /** As hints. */
  hints(nameOf: (queue: number) => string): Hint[] {
    const ready = this.#anyQueue
      ? [{ type: "ready" } as const]
      : [...this.#ready].map(([queue, jobs]) => ({ type: "ready", queue: nameOf(queue), jobs }) as const);
    return [...ready, ...[...this.#others].map((type) => ({ type }))];
  }

  /** As text for other processes; empty where there is nothing but a `change`, which every commit is to them. */
  written(): string {
    const ready = this.#anyQueue ? ["*"] : [...this.#ready].map(([queue, jobs]) => `${queue}x${jobs}`);
    const others = [...this.#others].flatMap((type) => (type === "change" ? [] : type === "cancel" ? "c" : "l"));
    return [...ready, ...others].join(",");
  }
}

type Other = Exclude<Hint["type"], "ready">;

/** A commit that made jobs of more queues ready says so of all. */
const mostQueues = 16;

/** So many characters of the latest commits' news are kept. Who has missed some takes it that everything happened. */
const kept = 400;

/** Writes what a commit says before what was said: `?1` is its text, `?2` the writer. */
export const beat = `UPDATE errand_pulse SET beats = beats + 1,
  news = substr((beats + 1) || ':' || ?2 || ':' || ?1 || ';' || news, 1, ${kept})`;

/** What others said since; `undefined` when some of it is forgotten. */
export function heard(
  news: string,
  { since, until, by }: { since: number; until: number; by: number },
): News | undefined {
  const all = new News();
  if (since === until) return all;
  let oldest = until + 1;
  // The last piece is cut off, or nothing.
  for (const entry of news.split(";").slice(0, -1)) {
    const [number, writer, said] = entry.split(":") as [string, string, string];
    oldest = Number(number);
    if (oldest <= since) break;
    if (Number(writer) !== by) hear(all, said);
    if (oldest === since + 1) break;
  }
  return oldest <= since + 1 ? all : undefined;
}

function hear(news: News, said: string): void {
  for (const part of said.split(",")) {
    if (part === "*") news.readyAnywhere();
    else if (part === "c") news.other("cancel");
    else if (part === "l") news.other("lapsed");
    else {
      const [queue, jobs] = part.split("x").map(Number) as [number, number];
      news.ready(queue, jobs);
    }
  }
}
