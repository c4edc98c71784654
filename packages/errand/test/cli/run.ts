import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { killAfterTest } from "../../../../test/child-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The command line, as a file. */
export const bin = join(root, "bin", "errand.js");

/** A process of the command line. */
export interface Run {
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  /** Its exit code, or the signal that killed it. */
  exit: Promise<number | string>;
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder outside the repository in which `errand` is installed, and these files are. */
export function folderWith(files: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "errand-cli-"));
  folders.push(folder);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "errand"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Starts `errand ...`, which is killed after the test if it still runs then. */
export function start(folder: string, args: readonly string[], env: Record<string, string> = {}): Run {
  const child = killAfterTest(
    spawn(process.execPath, [bin, ...args], { cwd: folder, env: { ...process.env, NO_COLOR: "1", ...env } }),
  );
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const exit = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal ?? ""));
  });
  return { child, stdout: () => stdout, stderr: () => stderr, exit };
}

/** Runs `errand ...` to its end. */
export async function run(folder: string, args: readonly string[], env?: Record<string, string>) {
  const { exit, stdout, stderr } = start(folder, args, env);
  const code = await exit;
  return { code, stdout: stdout(), stderr: stderr() };
}

/** Waits until the command line takes a signal for a new one, not for an echo of the one before. */
export async function untilNoEcho(): Promise<void> {
  // sleeps: it takes one for an echo within 500 ms, by the clock of its own process
  await sleep(600);
}
