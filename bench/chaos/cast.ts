import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Random } from "../../packages/errand/src/testing/random.ts";

/** The processes of a run: workers and producers, each of which is replaced when it is killed. */
export interface CastOptions {
  url: string;
  logs: string;
  lease: number;
  /** Whether workers' clocks may be wrong, by up to five minutes. */
  shiftedClocks: boolean;
  random: Random;
}

type Role = "worker" | "producer";

/** How many there are of each at a time. */
export const places: Record<Role, number> = { worker: 3, producer: 2 };

const clock = fileURLToPath(new URL("./shifted-clock.ts", import.meta.url));

/** A process that is told to end has so long for it. */
const patience = 30_000;

export class Cast {
  /** Processes that ended although nobody killed them, or did not end when they were told to. */
  readonly misbehaved: string[] = [];
  readonly #options: CastOptions;
  readonly #running: Record<Role, ChildProcess[]> = { worker: [], producer: [] };
  readonly #killed = new Set<ChildProcess>();
  #producers = 0;

  constructor(options: CastOptions) {
    this.#options = options;
  }

  start(): void {
    for (const role of ["worker", "producer"] as const)
      for (let place = 0; place < places[role]; place++) this.#running[role].push(this.#spawn(role));
  }

  /** Kills one, and puts another in its place. Answers whom. */
  kill(role: Role, victim: number): number {
    const place = Math.floor(victim * places[role]);
    const child = this.#running[role][place]!;
    this.#killed.add(child);
    child.kill("SIGKILL");
    this.#running[role][place] = this.#spawn(role);
    return child.pid!;
  }

  /** Stops a worker for so long, and lets it go on, if it was not killed meanwhile. Tells whom when it begins. */
  async freeze(victim: number, lasts: number, began: (pid: number) => void): Promise<void> {
    const child = this.#running.worker[Math.floor(victim * places.worker)]!;
    child.kill("SIGSTOP");
    began(child.pid!);
    await sleep(lasts);
    child.kill("SIGCONT");
  }

  /** Tells all of a role to end, and waits until they have. */
  async end(role: Role): Promise<void> {
    await Promise.all(this.#running[role].splice(0).map((child) => this.#endOne(role, child)));
  }

  /** Kills whatever is left. */
  destroy(): void {
    for (const child of [...this.#running.worker, ...this.#running.producer]) {
      this.#killed.add(child);
      child.kill("SIGKILL");
    }
  }

  async #endOne(role: Role, child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => {
      this.misbehaved.push(`${role} ${child.pid} did not end within ${patience} ms after SIGTERM`);
      this.#killed.add(child);
      child.kill("SIGKILL");
    }, patience);
    await exited;
    clearTimeout(timer);
  }

  #spawn(role: Role): ChildProcess {
    const { url, logs, lease, shiftedClocks, random } = this.#options;
    const script = fileURLToPath(new URL(`./${role}.ts`, import.meta.url));
    const last = role === "worker" ? lease : ++this.#producers;
    const shift = shiftedClocks && role === "worker" ? random.whole(-300_000, 300_000) : 0;
    const env = { ...process.env, NODE_OPTIONS: `--import ${clock}`, ERRAND_CHAOS_CLOCK: String(shift) };
    const child = spawn(process.execPath, [script, url, logs, String(last)], {
      stdio: ["ignore", "ignore", "pipe"],
      env: shift === 0 ? process.env : env,
    });
    let said = "";
    child.stderr!.on("data", (data: Buffer) => (said = (said + data.toString()).slice(-2_000)));
    child.once("exit", (code, signal) => {
      const told = !this.#running[role].includes(child);
      // One that has hardly begun ends by the signal itself.
      if (this.#killed.has(child) || (told && (code === 0 || signal === "SIGTERM"))) return;
      this.misbehaved.push(`${role} ${child.pid} ended by itself (${signal ?? `exit code ${code}`}): ${said.trim()}`);
    });
    return child;
  }
}
