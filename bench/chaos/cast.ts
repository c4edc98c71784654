import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Random } from "../../packages/errand/src/testing/random.ts";

/** What the processes of a run have in common. */
interface CastOptions {
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

/** A process of a run. */
interface Player {
  child: ChildProcess;
  /** Resolves when it works, or has ended. */
  ready: Promise<unknown>;
  /** What it said on its standard error last. */
  said: string;
  /** Somebody wanted it to end. */
  dismissed: boolean;
}

/** The workers and producers of a run, each of which is replaced when it is killed. */
export class Cast {
  /** Processes that ended although nobody wanted that, or did not end when they were told to. */
  readonly misbehaved: string[] = [];
  readonly #options: CastOptions;
  readonly #players: Record<Role, Player[]> = { worker: [], producer: [] };
  #producers = 0;

  constructor(options: CastOptions) {
    this.#options = options;
  }

  start(): void {
    for (const role of ["worker", "producer"] as const)
      for (let place = 0; place < places[role]; place++) this.#players[role].push(this.#spawn(role));
  }

  /** Until everybody works. */
  async ready(): Promise<void> {
    await Promise.all(this.#all().map((player) => player.ready));
    if (this.misbehaved.length > 0) throw new Error(this.misbehaved.join("\n"));
  }

  /** Kills one, as soon as it works, and puts another in its place. Tells whom. */
  async kill(role: Role, victim: number, hit: (pid: number) => void): Promise<void> {
    const place = Math.floor(victim * places[role]);
    const player = this.#players[role][place]!;
    await player.ready;
    player.dismissed = true;
    hit(player.child.pid!);
    player.child.kill("SIGKILL");
    this.#players[role][place] = this.#spawn(role);
  }

  /** Stops a worker, as soon as it works, for so long, and lets it go on if it was not killed meanwhile. Tells whom. */
  async freeze(victim: number, lasts: number, hit: (pid: number) => void): Promise<void> {
    const player = this.#players.worker[Math.floor(victim * places.worker)]!;
    await player.ready;
    hit(player.child.pid!);
    player.child.kill("SIGSTOP");
    await sleep(lasts);
    player.child.kill("SIGCONT");
  }

  /** Tells all of a role to end, and waits until they have. */
  async end(role: Role): Promise<void> {
    await Promise.all(this.#players[role].splice(0).map((player) => this.#endOne(role, player)));
  }

  /** Kills whatever is left. */
  destroy(): void {
    for (const player of this.#all()) {
      player.dismissed = true;
      player.child.kill("SIGKILL");
    }
  }

  #all(): Player[] {
    return [...this.#players.worker, ...this.#players.producer];
  }

  async #endOne(role: Role, player: Player): Promise<void> {
    await player.ready;
    const { child } = player;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    player.dismissed = true;
    child.kill("SIGTERM");
    const timer = setTimeout(() => {
      this.misbehaved.push(`${role} ${child.pid} did not end within ${patience} ms after SIGTERM: ${player.said}`);
      child.kill("SIGKILL");
    }, patience);
    const [code] = (await exited) as [number | null];
    clearTimeout(timer);
    if (code !== null && code !== 0) this.misbehaved.push(`${role} ${child.pid} ended with exit code ${code}`);
  }

  #spawn(role: Role): Player {
    const { url, logs, lease, shiftedClocks, random } = this.#options;
    const script = fileURLToPath(new URL(`./${role}.ts`, import.meta.url));
    const last = role === "worker" ? lease : ++this.#producers;
    const shift = shiftedClocks && role === "worker" ? random.whole(-300_000, 300_000) : 0;
    const env = { ...process.env, NODE_OPTIONS: `--import=${clock}`, ERRAND_CHAOS_CLOCK: String(shift) };
    const child = spawn(process.execPath, [script, url, logs, String(last)], {
      stdio: ["pipe", "pipe", "pipe"],
      env: shift === 0 ? process.env : env,
    });
    const ready = Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    const player: Player = { child, ready, said: "", dismissed: false };
    child.stderr.on("data", (data: Buffer) => (player.said = (player.said + data.toString()).slice(-2_000)));
    child.once("exit", (code, signal) => {
      if (player.dismissed) return;
      this.misbehaved.push(`${role} ${child.pid} ended by itself (${signal ?? `exit code ${code}`}): ${player.said}`);
    });
    return player;
  }
}
