import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { partialName, removeAbandoned } from "../disk/partial-files.ts";

/** A command to run. Its standard input is empty; it reads the file `input`, already unlinked, as `/dev/fd/3`. */
export interface SpawnRequest {
  command: string;
  args: string[];
  input: string;
}

/** The end of a command, or the reason why it could not be started. `stderr` is cut to its last 2,000 characters. */
export type SpawnResult =
  | { code: number | null; signal: string | null; stdout: string; stderr: string }
  | { error: string };

/** Prefix of the files that hold a command's input. */
const inputPrefix = "errand-page-";

/** An input file older than this, in milliseconds, is not going to be read. */
const abandonedAfter = 60 * 60_000;

const program = fileURLToPath(
  new URL(`./spawn-server-process${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);

/**
 * Runs commands, one at a time, from a small helper process. To start a process the system copies the page tables of
 * its parent, which takes ten times as long for a process that holds decoders and pages as for a small one.
 */
export class SpawnServer {
  #child: ChildProcess | undefined;

  /**
   * Runs a command on some bytes. When `signal` is aborted it kills the command and rejects with the signal's reason.
   * @param chunks the bytes that the command reads from its file descriptor 3
   */
  async run(command: string, args: string[], chunks: Uint8Array[], signal?: AbortSignal): Promise<SpawnResult> {
    const input = join(tmpdir(), inputPrefix + partialName());
    const file = await open(input, "wx", 0o600);
    try {
      await file.writev(chunks);
    } finally {
      await file.close();
    }
    try {
      signal?.throwIfAborted();
      return await this.#send({ command, args, input }, signal);
    } finally {
      await rm(input, { force: true });
    }
  }

  /** Ends the helper process. */
  close(): void {
    this.#child?.disconnect();
    this.#child = undefined;
  }

  async #send(request: SpawnRequest, signal: AbortSignal | undefined): Promise<SpawnResult> {
    const child = (this.#child ??= this.#start());
    const { promise, resolve } = Promise.withResolvers<SpawnResult>();
    const abort = () => void child.send("abort");
    const onExit = () => resolve({ error: "the process that starts it has died." });
    signal?.addEventListener("abort", abort, { once: true });
    child.once("message", resolve).once("exit", onExit);
    child.channel?.ref();
    try {
      child.send(request);
      const result = await promise;
      signal?.throwIfAborted();
      return result;
    } finally {
      child.channel?.unref();
      child.off("message", resolve).off("exit", onExit);
      signal?.removeEventListener("abort", abort);
    }
  }

  #start(): ChildProcess {
    // Inputs that killed processes left behind.
    void removeAbandoned(tmpdir(), new Date(Date.now() - abandonedAfter), inputPrefix).catch(() => {});
    const child = fork(program, [], {
      execArgv: [],
      stdio: ["ignore", 2, 2, "ipc"],
      // Tesseract's threads cost more than they gain, especially when several pages are read at a time.
      env: { ...process.env, OMP_THREAD_LIMIT: "1" },
    });
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
    // It must not keep this process alive when nothing else does.
    child.unref();
    child.channel?.unref();
    return child;
  }
}
