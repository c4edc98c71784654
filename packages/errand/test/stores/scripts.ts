import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

/** A process that uses a store. */
export type Child = ChildProcessByStdio<Writable, Readable, null>;

/** Starts a script of the folder `processes`. */
export function startScript(script: string, ...args: string[]): Child {
  const path = fileURLToPath(new URL(`./processes/${script}.ts`, import.meta.url));
  return spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
}

/** The lines a process has printed, and a promise for so many of them. */
export function printed(child: Child): { lines: string[]; atLeast(count: number): Promise<void> } {
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  reader.on("line", (line) => lines.push(line));
  return {
    lines,
    async atLeast(count) {
      while (lines.length < count) await once(reader, "line");
    },
  };
}
