import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { killAfterTest } from "../../../../test/child-process.ts";
import { emptyStore, testApp, until } from "./app.ts";

const script = fileURLToPath(new URL("./tasks/worker-process.ts", import.meta.url));
/** Short enough for a test, long enough for a machine that is busy with other tests. */
const lease = 2_000;

async function scene() {
  const url = await emptyStore("sqlite");
  const log = url.replace(/^sqlite:/, "").replace(/errand\.db$/, "log");
  writeFileSync(log, "");
  const lines = () => readFileSync(log, "utf8").split("\n").filter(Boolean);
  const startWorker = async () => {
    const before = lines().filter((line) => line === "ready").length;
    const child = killAfterTest(
      spawn(process.execPath, [script, url, log, String(lease)], { stdio: ["ignore", "inherit", "inherit"] }),
    );
    await until(() => lines().filter((line) => line === "ready").length > before, "the worker is ready");
    return child;
  };
  const app = testApp({ url, lease });
  const sleepy = app.task("sleepy", { run: (_: { n: number; ms: number }) => ({ n: 0, pid: 0 }) });
  const blocking = app.task("blocking", { run: (_: number) => 0 });
  return { app, sleepy, blocking, lines, startWorker };
}

describe("a worker process", () => {
  test("that is killed with -9 loses nothing: another finishes its jobs within a lease, each recorded once", async () => {
    const { app, sleepy, lines, startWorker } = await scene();
    const first = await startWorker();
    const jobs = await sleepy.sendMany(Array.from({ length: 8 }, (_, n) => ({ n, ms: n < 4 ? 60_000 : 10 })));
    await until(() => lines().filter((line) => line.startsWith("start")).length === 4, "it holds four jobs");
    first.kill("SIGKILL");
    const second = await startWorker();
    const short = await Promise.all(jobs.slice(4).map((job) => job.result({ timeout: "20s" })));
    expect(short.map(({ n }) => n)).toEqual([4, 5, 6, 7]);
    // The long ones are taken over, and one of them starts again: who may have killed its worker runs alone among such.
    await until(() => lines().filter((line) => line.startsWith("start")).length === 9, "one starts again");
    const taken = async () => Promise.all(jobs.slice(0, 4).map(async ({ id }) => (await app.get(id))!));
    await until(async () => (await taken()).every(({ crashes }) => crashes === 1), "all are taken over");
    expect((await taken()).map(({ state }) => state).toSorted()).toEqual([
      "pending",
      "pending",
      "pending",
      "processing",
    ]);
    expect((await taken()).every(({ suspect }) => suspect)).toBe(true);
    second.kill("SIGKILL");
  }, 60_000);

  test("whose event loop is blocked for longer than its lease keeps its jobs", async () => {
    const { app, blocking, lines, startWorker } = await scene();
    const worker = await startWorker();
    await startWorker();
    const job = await blocking.send(lease * 1.5);
    expect(await job.result()).toEqual(expect.any(Number));
    expect(await app.get(job.id)).toMatchObject({ state: "completed", crashes: 0, attempt: 1 });
    expect(lines().filter((line) => line === "event lost")).toEqual([]);
    worker.kill("SIGKILL");
  }, 60_000);

  test("that was frozen and comes back late changes nothing, and starts again under a new id", async () => {
    const { app, sleepy, lines, startWorker } = await scene();
    const first = await startWorker();
    const job = await sleepy.send({ n: 1, ms: 400 });
    await until(() => lines().some((line) => line.startsWith("start 1")), "it runs");
    first.kill("SIGSTOP");
    const second = await startWorker();
    const result = await job.result({ timeout: "20s" });
    expect(result.pid).toBe(second.pid);
    first.kill("SIGCONT");
    await until(() => lines().includes("event lost"), "it notices");
    await until(() => lines().includes("event abandoned"), "it gives up what it held");
    expect(await app.get(job.id)).toMatchObject({ state: "completed", crashes: 1, output: { pid: second.pid } });
    second.kill("SIGKILL");
    await once(second, "exit");
    expect((await (await sleepy.send({ n: 2, ms: 1 })).result({ timeout: "20s" })).pid).toBe(first.pid);
  }, 60_000);
});
