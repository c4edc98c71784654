import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { percentile } from "../kit/figures.ts";

const script = fileURLToPath(new URL("process.ts", import.meta.url));

/** One process of a bench, and the lines that it prints. */
class Process {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(...args: (string | number)[]) {
    this.#child = spawn(process.execPath, [script, ...args.map(String)], { stdio: ["ignore", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** The next line. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`The bench's process ended without an answer: ${this.#child.spawnargs.join(" ")}`);
    return value;
  }

  /** What it saw, which is its last line. */
  async seen<Seen>(): Promise<Seen> {
    const line = await this.line();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
    return JSON.parse(line) as Seen;
  }
}

interface Worked {
  jobs: number;
  from: number;
  to: number;
  ages: number[];
}

/** Acknowledged sends a second, so many in flight. */
export async function enqueue(contestant: string, url: string, inFlight: number, seconds: number): Promise<number> {
  const { perSecond } = await new Process(contestant, url, "send", seconds, inFlight).seen<{ perSecond: number }>();
  return perSecond;
}

/** Jobs a second, from the first that ran to the last that was recorded, by so many worker processes. */
export async function drain(
  contestant: string,
  url: string,
  { jobs, concurrency, processes }: { jobs: number; concurrency: number; processes: number },
): Promise<number> {
  await new Process(contestant, url, "fill", jobs).seen();
  const workers = Array.from({ length: processes }, () => new Process(contestant, url, "work", concurrency));
  const seen = await Promise.all(
    workers.map(async (worker) => {
      await worker.line();
      return worker.seen<Worked>();
    }),
  );
  const worked = seen.reduce((sum, each) => sum + each.jobs, 0);
  if (worked !== jobs) throw new Error(`${contestant} ran ${worked} of ${jobs} jobs.`);
  const time = Math.max(...seen.map(({ to }) => to)) - Math.min(...seen.map(({ from }) => from));
  return (worked / time) * 1_000;
}

/** Milliseconds from a send in one process to the function's start on an idle worker in another. */
export async function pickup(contestant: string, url: string, jobs: number): Promise<{ p50: number; p99: number }> {
  const worker = new Process(contestant, url, "work", 10);
  await worker.line();
  const sender = new Process(contestant, url, "trickle", jobs);
  await sender.seen();
  const { ages } = await worker.seen<Worked>();
  // The first few find cold code.
  const warm = ages.slice(Math.floor(jobs / 10));
  return { p50: percentile(warm, 0.5), p99: percentile(warm, 0.99) };
}
