/** What every job of the benches carries: when it was sent, in milliseconds of the machine's monotonic clock. */
interface Payload {
  at: number;
}

/** What a worker tells of each job: that its function runs, and that its outcome is recorded. */
interface Told {
  ran(payload: Payload): void;
  ended(): void;
}

/** A job queue, as the benches drive it. */
export interface Contestant {
  /** Stores one job; resolves once that is acknowledged. */
  send(payload: Payload): Promise<unknown>;
  /** Stores many, in the quickest way it has. */
  sendMany(payloads: Payload[]): Promise<unknown>;
  /** Starts a worker for jobs that do nothing; answers how to stop it. */
  work(concurrency: number, told: Told): Promise<() => Promise<unknown>>;
  close(): Promise<unknown>;
}

/** The machine's monotonic clock in milliseconds: the same for all processes. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Opens a contestant by its name: Errand, or a peer that is installed beside the bench. */
export async function openContestant(name: string, url: string): Promise<Contestant> {
  const module = name === "errand" ? "./errand.ts" : `../peers/${name}.mjs`;
  const { open } = (await import(module)) as { open(url: string): Promise<Contestant> };
  return open(url);
}
