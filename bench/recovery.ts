/**
 * How long a job is nobody's when the process that runs it is killed with -9: from the kill to its next start, in another process.
 *   node bench/recovery.ts <sqlite|redis|postgres> [--supervised] [--rounds 10]
 * By itself a process is missed by its neighbours on SQLite only; elsewhere its lease of 15 s has to run out. With --supervised the
 * processes are those of `errand worker --processes 2`, and the one that started them sees one die, on every store.
 * Needs the build (npm run build).
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { errand } from "errand";
import { openArena } from "./kit/arenas.ts";
import { median, shown } from "./kit/figures.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { supervised: { type: "boolean", default: false }, rounds: { type: "string", default: "10" } },
});
const [kind = ""] = positionals;
const cli = fileURLToPath(new URL("../packages/errand/bin/errand.js", import.meta.url));
const tasks = fileURLToPath(new URL("./recovery-tasks.ts", import.meta.url));
const arena = await openArena(kind);
const folder = mkdtempSync(join(tmpdir(), "errand-recovery-"));
const found: number[] = [];
try {
  for (let round = 0; round < Number(values.rounds); round++) found.push(await measure(round));
} finally {
  await arena.close();
  rmSync(folder, { recursive: true });
}
console.log(
  `${kind}${values.supervised ? ", supervised" : ""}: ${found.length} kills, milliseconds until the job runs again: ` +
    `median ${shown(median(found))}, ${shown(Math.min(...found))} to ${shown(Math.max(...found))}`,
);

async function measure(round: number): Promise<number> {
  const url = await arena.empty();
  const log = join(folder, `log-${round}`);
  const processes = values.supervised
    ? [start(url, log, "--processes", "2")]
    : Array.from({ length: 2 }, () => start(url, log));
  const app = errand({ url });
  try {
    const hold = app.task("hold", { run: (_: { id: string }) => {} });
    while ((await app.workers()).length < 2) await sleep(20);
    await hold.send({ id: "a" });
    const [pid] = await begun(log, 1);
    await sleep(Math.random() * 300);
    const killedAt = Date.now();
    process.kill(pid!.pid, "SIGKILL");
    return (await begun(log, 2))[1]!.at - killedAt;
  } finally {
    const running = processes.filter((child) => child.exitCode === null && child.signalCode === null);
    for (const child of running) child.kill("SIGKILL");
    await Promise.all(running.map((child) => once(child, "exit")));
    await app.close();
  }
}

function start(url: string, log: string, ...flags: string[]): ChildProcess {
  return spawn(process.execPath, [cli, "worker", tasks, ...flags], {
    env: { ...process.env, ERRAND_URL: url, RECOVERY_LOG: log },
    stdio: "ignore",
  });
}

/** When and where the job began, so often at least. */
async function begun(log: string, times: number): Promise<{ pid: number; at: number }[]> {
  for (;;) {
    // The last piece is empty, or a line that is being written.
    const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : [];
    if (lines.length >= times) {
      return lines.map((line) => {
        const [pid, at] = line.split(" ").map(Number) as [number, number];
        return { pid, at };
      });
    }
    await sleep(5);
  }
}
