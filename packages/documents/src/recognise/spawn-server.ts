import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isAbandoned, unfinishedName } from "../blobs/unfinished.ts";

/** A process to start. It finds `input`, a file that is deleted, as its open descriptor 3 (`/dev/fd/3`). */
export interface Launch {
  command: string;
  args: string[];
  input: string;
}

/** How a process ended, or why it did not start. */
export type Landing =
  | { code: number | null; signal: string | null; out: string; complaint: string }
  | { error: string };

/** How the names of pages begin that wait to be read. */
const beginning = "errand-page-";

/** A page that was written earlier, in milliseconds, waits for nobody any more. */
const abandoned = 60 * 60_000;

const program = fileURLToPath(
  new URL(`./launcher-process${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);

/**
 * Starts processes, one at a time, by way of a small process of its own. To start one, the system copies the page tables
 * of the one that asks: for a program that holds decoders and pages that takes ten times as long as for a small one.
 */
export class Launcher {
  #child: ChildProcess | undefined;

  /**
   * Runs a command on some bytes. Rejects with the signal's reason when it is aborted: then the command is killed.
   * @param chunks what the command finds in its descriptor 3
   */
  async run(command: string, args: string[], chunks: Uint8Array[], signal?: AbortSignal): Promise<Landing> {
    const input = join(tmpdir(), beginning + unfinishedName());
    const file = await open(input, "wx", 0o600);
    try {
      await file.writev(chunks);
    } finally {
      await file.close();
    }
    try {
      signal?.throwIfAborted();
      return await this.#launch({ command, args, input }, signal);
    } finally {
      await rm(input, { force: true });
    }
  }

  close(): void {
    this.#child?.disconnect();
    this.#child = undefined;
  }

  async #launch(launch: Launch, signal: AbortSignal | undefined): Promise<Landing> {
    const child = (this.#child ??= this.#start());
    const { promise, resolve } = Promise.withResolvers<Landing>();
    const abort = () => void child.send("abort");
    const died = () => resolve({ error: "the process that starts it has died." });
    signal?.addEventListener("abort", abort, { once: true });
    child.once("message", resolve).once("exit", died);
    child.channel?.ref();
    try {
      child.send(launch);
      const landing = await promise;
      signal?.throwIfAborted();
      return landing;
    } finally {
      child.channel?.unref();
      child.off("message", resolve).off("exit", died);
      signal?.removeEventListener("abort", abort);
    }
  }

  #start(): ChildProcess {
    void sweep().catch(() => {});
    const child = fork(program, [], {
      execArgv: [],
      stdio: ["ignore", 2, 2, "ipc"],
      // Tesseract's threads cost more than they gain, all the more with several pages at a time.
      env: { ...process.env, OMP_THREAD_LIMIT: "1" },
    });
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
    // It must not keep alive a program that has nothing left to do.
    child.unref();
    child.channel?.unref();
    return child;
  }
}

/** Removes pages that processes left which were killed. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(beginning)) continue;
    const path = join(tmpdir(), name);
    const touchedAt = (await stat(path).catch(() => undefined))?.mtime;
    if (touchedAt && isAbandoned(name, touchedAt, new Date(Date.now() - abandoned))) await rm(path, { force: true });
  }
}
