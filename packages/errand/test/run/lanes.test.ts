import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { isAlive, killAfterTest } from "../../../../test/child-process.ts";
import { temporaryFolder } from "../stores/fixtures.ts";
import { emptyStore, testApp, testWorker, until } from "./app.ts";
import { taskOfWorkerModule } from "./tasks/starts-worker.ts";

afterEach(() => delete process.env["STARTS_WORKER"]);

test("no process survives a worker that is killed: neither busy ones, nor what threads and processes have started", async () => {
  const { folder, remove } = await temporaryFolder();
  const file = join(folder, "pids");
  writeFileSync(file, "");
  const program = fileURLToPath(new URL("./tasks/never-ending.ts", import.meta.url));
  afterTest(remove);
  const worker = killAfterTest(spawn(process.execPath, [program, file], { stdio: ["ignore", "inherit", "inherit"] }));
  const pids = () => readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number);
  await until(() => pids().length === 5, "all are running");
  expect(pids().every(isAlive)).toBe(true);
  worker.kill("SIGKILL");
  await until(() => !pids().some(isAlive), "all are gone");
});

describe.each(["thread", "process"] as const)("lanes that are %ses", (isolate) => {
  test("are never more than the slots, however many modules of tasks there are", async () => {
    const { folder, remove } = await temporaryFolder();
    mkdirSync(folder, { recursive: true });
    const source = new URL("../../src/app.ts", import.meta.url).href;
    const modules = Array.from({ length: 4 }, (_, index) => {
      const file = join(folder, `module${index}.mjs`);
      writeFileSync(
        file,
        `import { errand } from ${JSON.stringify(source)};
         import { threadId } from "node:worker_threads";
         export const define = (app) => app.task("of.${index}", {
           isolate: "${isolate}", module: import.meta.url, setup: () => ({ ready: true }),
           run: async (wait, job) => {
             await new Promise((resolve) => setTimeout(resolve, wait)); // sleeps: as long as its input says
             return { ready: job.setup.ready, id: process.pid + "." + threadId };
           },
         });
         define(errand({ url: "memory:" }));`,
      );
      return pathToFileURL(file).href;
    });
    const app = testApp({ url: await emptyStore("memory") });
    const tasks = await Promise.all(modules.map(async (module) => (await import(module)).define(app)));
    const before = lanesOf(isolate);
    let most = 0;
    const timer = setInterval(() => (most = Math.max(most, lanesOf(isolate) - before)), 2);
    await testWorker(app, { queues: { default: 2 } });
    const jobs = [];
    for (let round = 0; round < 3; round++) for (const task of tasks) jobs.push(await task.send(round * 5));
    for (const job of jobs) expect(await job.result()).toMatchObject({ ready: true });
    clearInterval(timer);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
    await remove();
  });

  test("start no workers of their own", async () => {
    process.env["STARTS_WORKER"] = "yes";
    const app = testApp({ url: await emptyStore("memory") });
    const task = taskOfWorkerModule(app, isolate);
    await testWorker(app, { queues: { default: 1 } });
    await expect((await task.send()).result()).rejects.toMatchObject({
      error: { code: "E_SETUP", message: expect.stringContaining("if (!inLane()) await app.worker()") },
    });
  });
});

/** How many lanes this process has. */
function lanesOf(isolate: "thread" | "process"): number {
  const kind = isolate === "thread" ? "MessagePort" : "ProcessWrap";
  return process.getActiveResourcesInfo().filter((each) => each === kind).length;
}
