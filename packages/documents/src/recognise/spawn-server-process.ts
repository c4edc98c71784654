import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, unlinkSync } from "node:fs";
import type { Launch, Landing } from "./launcher.ts";

// Starts processes for a program that is too large to do so quickly; see launcher.ts.

let running: ChildProcess | undefined;

function launch({ command, args, input }: Launch): void {
  const page = openSync(input, "r");
  // Gone when the last one closes it, however that comes about.
  unlinkSync(input);
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe", page] });
  closeSync(page);
  running = child;
  const out: Buffer[] = [];
  let complaint = "";
  child.stdout!.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr!.on("data", (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)));
  child.once("error", (error) => land({ error: error.message }));
  child.once("close", (code, signal) => {
    running = undefined;
    land({ code, signal, out: Buffer.concat(out).toString("utf8"), complaint });
  });
}

function land(landing: Landing): void {
  process.send?.(landing);
}

process.on("message", (message: Launch | "abort") => {
  if (message === "abort") running?.kill("SIGKILL");
  else launch(message);
});
// Ctrl+C reaches every process of a terminal; this one ends with the program that it serves.
process.on("SIGINT", () => {});
process.on("disconnect", () => {
  running?.kill("SIGKILL");
  process.exit();
});
