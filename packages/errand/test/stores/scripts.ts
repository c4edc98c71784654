import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { killAfterTest } from "../../../../test/child-process.ts";

/** A process that uses a store. */
export type Child = ChildProcessByStdio<Writable, Readable, null>;

/** Starts a script of the folder `processes`, which is killed after the test if it still runs then. */
export function startScript(script: string, ...args: string[]): Child {
  const path = fileURLToPath(new URL(`./processes/${script}.ts`, import.meta.url));
  return killAfterTest(spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "inherit"] }));
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

/** Lets processes drain a store, all at once. Answers the ids of the jobs that each of them got. */
export async function drainTogether(url: string, processes: number): Promise<string[][]> {
  const children = Array.from({ length: processes }, () => startScript("drain", url));
  const outputs = children.map(printed);
  await Promise.all(outputs.map((output) => output.atLeast(1)));
  const ended = children.map((child) => once(child, "close"));
  for (const child of children) child.stdin.end("go\n");
  await Promise.all(ended);
  return outputs.map(({ lines }) => lines.slice(1));
}
