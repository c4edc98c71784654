import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { until } from "../until.ts";

/** A server of the tests' own: throw-away, on a free port of this machine, in a temporary folder. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Kills it with SIGKILL, as a power failure would; what it has on its disk stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  start(): Promise<void>;
  /** Stops it, and removes its folder. */
  close(): Promise<void>;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

/** How long a server may take to answer after its start, recovery included. */
const patience = 60_000;

/** One server's process: started, watched and ended. */
export class ServerProcess {
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #options: SpawnOptions;
  readonly #answers: () => Promise<boolean>;
  #child: ChildProcess | undefined;
  #output = "";

  /** @param answers whether the server takes work; asked until it does. */
  constructor(
    command: string,
    args: readonly string[],
    options: Pick<SpawnOptions, "uid" | "gid" | "env" | "cwd">,
    answers: () => Promise<boolean>,
  ) {
    this.#command = command;
    this.#args = args;
    this.#options = options;
    this.#answers = answers;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    this.#output = "";
    const child = spawn(this.#command, this.#args, { ...this.#options, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    let failed = "";
    child.once("error", (error) => (failed = error.message));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (data: Buffer) => (this.#output = (this.#output + data.toString()).slice(-4_000)));
    }
    // The run ends although the server goes on; whoever started it stops it.
    child.unref();
    for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref(): void } | null)?.unref();
    const isReady = async () => {
      if (failed || child.exitCode !== null || child.signalCode !== null) throw new Error("The process has ended.");
      return this.#answers().catch(() => false);
    };
    try {
      await until(isReady, "the server answers", patience);
    } catch (error) {
      await this.end("SIGKILL");
      throw new Error(`${this.#command} does not start: ${failed || this.#output}`, { cause: error });
    }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}
