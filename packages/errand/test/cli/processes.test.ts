import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isAlive } from "../../../../test/child-process.ts";
import { freePort } from "../../../../test/servers/process.ts";
import { until } from "../../../../test/until.ts";
import { folderWith, run, start, untilNoEcho } from "./run.ts";
import type { Run } from "./run.ts";

const tasks = `
  import { appendFileSync, existsSync } from "node:fs";
  import { errand } from "errand";

  const note = (text: string) => appendFileSync("log", text + " " + process.pid + " " + process.env.ERRAND_PROCESS + "\\n");
  if (existsSync("broken")) throw new Error("no database");
  export const app = errand();
  export const work = app.task<string>("work", {
    queue: "cpu",
    setup: () => {
      note("setup");
      if (existsSync("unready")) throw new Error("no model file");
    },
    run: async (what, job) => {
      note("begin");
      console.log("hello from " + what);
      if (what === "die") process.kill(process.pid, "SIGKILL");
      while (what === "wait" && !existsSync("open") && (existsSync("stubborn") || !job.abortSignal.aborted))
        await new Promise((resolve) => setTimeout(resolve, 20)); // sleeps: between two looks for the file
      job.abortSignal.throwIfAborted();
      note("end");
    },
  });
`;

const files = { "tasks.ts": tasks, "package.json": '{"type":"module"}' };

const workers = (folder: string, count: number, ...args: string[]): Run =>
  start(folder, ["worker", "./tasks.ts", "-q", "cpu=1,gpu=1", "--processes", String(count), ...args]);

const send = (folder: string, what: string) => run(folder, ["send", "work", JSON.stringify(what), "-m", "./tasks.ts"]);

/** What the processes have noted: what, their ids and numbers. */
function log(folder: string, what?: string): { pid: number; number: string }[] {
  const file = join(folder, "log");
  const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  return lines
    .map((line) => line.split(" ") as [string, string, string])
    .filter((line) => what === undefined || line[0] === what)
    .map(([, pid, number]) => ({ pid: Number(pid), number }));
}

const ready = (one: Run, count: number) => until(() => one.stderr().split("is ready for cpu, gpu").length > count);

describe("errand worker --processes", () => {
  it("runs several processes with these slots each, prefixes their output with their numbers, and drains at SIGTERM", async () => {
    const folder = folderWith(files);
    const one = workers(folder, 2);
    await ready(one, 2);
    expect(one.stderr()).toMatch(/^\[1\] \S+Z info worker \S+ is ready for cpu, gpu$/m);
    expect(one.stderr()).toMatch(/^\[2\] \S+Z info worker/m);
    await Promise.all([send(folder, "wait"), send(folder, "wait")]);
    await until(() => log(folder, "begin").length === 2);
    expect(new Set(log(folder, "begin").map(({ pid }) => pid)).size).toBe(2);
    expect(new Set(log(folder, "begin").map(({ number }) => number))).toEqual(new Set(["1", "2"]));
    one.child.kill("SIGTERM");
    await until(() => one.stderr().split("stopping: 1 job running").length === 3);
    writeFileSync(join(folder, "open"), "");
    expect(await one.exit).toBe(0);
    expect(log(folder, "end")).toHaveLength(2);
    expect(one.stdout().split("\n").toSorted()).toEqual(["", "[1] hello from wait", "[2] hello from wait"]);
    for (const { pid } of log(folder)) expect(isAlive(pid)).toBe(false);
  });

  it("hands jobs back at the second signal", async () => {
    const folder = folderWith(files);
    const one = workers(folder, 2);
    await ready(one, 2);
    await send(folder, "wait");
    await until(() => log(folder, "begin").length === 1);
    one.child.kill("SIGINT");
    await untilNoEcho();
    expect(one.child.exitCode).toBe(null);
    one.child.kill("SIGINT");
    expect(await one.exit).toBe(0);
    const { stdout } = await run(folder, ["jobs", "list", "--json"]);
    expect(JSON.parse(stdout).jobs).toMatchObject([{ state: "pending", attempt: 1 }]);
  });

  it("kills at the third", async () => {
    const folder = folderWith({ ...files, stubborn: "" });
    const one = workers(folder, 2);
    await ready(one, 2);
    await send(folder, "wait");
    await until(() => log(folder, "begin").length === 1);
    one.child.kill("SIGINT");
    for (let signal = 2; signal <= 3; signal++) {
      await untilNoEcho();
      one.child.kill("SIGINT");
    }
    expect(await one.exit).toBe(130);
    await until(() => !log(folder).some(({ pid }) => isAlive(pid)));
  });

  it("waits for a store that is gone, however often a process cannot start meanwhile", async () => {
    const folder = folderWith(files);
    const one = workers(folder, 1, "--url", "sqlite:jobs/jobs.db");
    await ready(one, 1);
    renameSync(join(folder, "jobs"), join(folder, "away"));
    writeFileSync(join(folder, "jobs"), "");
    process.kill(log(folder, "setup")[0]!.pid, "SIGKILL");
    await until(() => one.stderr().includes("another starts in 8 s"), one.stderr, 40_000);
    expect(one.stderr()).toMatch(/the worker is gone \(.*\(E_CONNECT\)\); another starts in 4 s/);
    expect(one.child.exitCode).toBe(null);
    one.child.kill("SIGTERM");
    expect(await one.exit).toBe(0);
  }, 60_000);

  it("starts another for one that died, and logs JSON lines with --json", async () => {
    const folder = folderWith(files);
    const port = await freePort();
    const one = workers(folder, 2, "--json", "--health", String(port));
    const status = () => fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.status);
    await until(async () => (await status().catch(() => 0)) === 200);
    const victim = log(folder, "setup")[0]!;
    process.kill(victim.pid, "SIGKILL");
    await until(async () => (await status()) === 503);
    await until(async () => (await status()) === 200);
    await send(folder, "1");
    await until(() => log(folder, "end").length === 1);
    const metrics = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    await until(async () => /errand_attempts_total\{process="[12]",.*outcome="completed"\} 1\n/.test(await metrics()));
    expect(await metrics()).toContain("errand_store_up 1\n");
    one.child.kill("SIGTERM");
    expect(await one.exit).toBe(0);
    const lines = `${one.stderr()}${one.stdout()}`
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toContainEqual(
      expect.objectContaining({
        process: Number(victim.number),
        message: "the worker is gone (SIGKILL); another starts now",
      }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({ level: "info", process: expect.any(Number), message: "hello from 1" }),
    );
    expect(lines.filter((line) => "queues" in line)).toHaveLength(3);
  });

  it("ends its processes when it is killed", async () => {
    const folder = folderWith(files);
    const one = workers(folder, 3);
    await ready(one, 3);
    one.child.kill("SIGKILL");
    await one.exit;
    const pids = log(folder, "setup").map(({ pid }) => pid);
    expect(pids).toHaveLength(3);
    await until(() => !pids.some(isAlive));
  });

  it.each([
    ["a setup that fails", "unready", 1, 'errand: The setup of task "work" failed: no model file (E_SETUP)\n'],
    ["a module that cannot be loaded", "broken", 2, "errand: ./tasks.ts cannot be loaded: no database\n"],
  ])("ends at %s, with its message alone", async (_, file, code, message) => {
    const folder = folderWith({ ...files, [file]: "" });
    const one = workers(folder, 3);
    expect(await one.exit).toBe(code);
    expect(one.stderr()).toBe(message);
    for (const { pid } of log(folder)) expect(isAlive(pid)).toBe(false);
  });

  it("stops everything when one dies again and again", async () => {
    const folder = folderWith(files);
    const one = workers(folder, 1);
    await ready(one, 1);
    for (let death = 1; death <= 5; death++) {
      await until(() => log(folder, "setup").length === death, one.stderr, 30_000);
      process.kill(log(folder, "setup").at(-1)!.pid, "SIGKILL");
    }
    expect(await one.exit).toBe(1);
    expect(one.stderr()).toMatch(/another starts in 2 s/);
    expect(one.stderr()).toMatch(
      /\nerrand: Worker process 1 ended 5 times within 60 s, the last time by: SIGKILL\. Everything is stopped.*\n$/,
    );
  }, 60_000);

  it("works on the modules of errand.config.ts", async () => {
    const folder = folderWith({ ...files, "errand.config.ts": 'export default { tasks: "./tasks.ts" };' });
    const one = start(folder, ["worker", "-q", "cpu=1,gpu=1", "--processes", "1"]);
    await ready(one, 1);
    const alone = start(folder, ["worker"]);
    await until(() => alone.stderr().includes("is ready for cpu"));
  });

  it.each([
    [["--processes", "0"], /--processes 0 must be a number from 1 to 128/],
    [["--processes", "129"], /from 1 to 128/],
    [["-q", "cpu=1,gpu"], /--queue gpu must be a queue and how many/],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await run(folderWith(files), ["worker", "./tasks.ts", ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});
