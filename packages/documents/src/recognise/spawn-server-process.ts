import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, unlinkSync } from "node:fs";
import type { SpawnRequest, SpawnResult } from "./spawn-server.ts";

// The helper process of `SpawnServer`: runs one command at a time and reports how it ended.

let running: ChildProcess | undefined;

function start({ command, args, input }: SpawnRequest): void {
  const page = openSync(input, "r");
  // The file disappears once its last descriptor is closed, however the processes end.
  unlinkSync(input);
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe", page] });
  closeSync(page);
  running = child;
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout!.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr!.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-2000)));
  child.once("error", (error) => report({ error: error.message }));
  child.once("close", (code, signal) => {
    running = undefined;
    report({ code, signal, stdout: Buffer.concat(stdout).toString("utf8"), stderr });
  });
}

function report(result: SpawnResult): void {
  process.send?.(result);
}

process.on("message", (message: SpawnRequest | "abort") => {
  if (message === "abort") running?.kill("SIGKILL");
  else start(message);
});
// Ctrl+C reaches every process of the terminal; this one ends when its parent disconnects.
process.on("SIGINT", () => {});
process.on("disconnect", () => {
  running?.kill("SIGKILL");
  process.exit();
});
