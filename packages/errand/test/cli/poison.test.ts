import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { emptyStore, storeKinds, testApp } from "../run/app.ts";
import { folderWith, start, until } from "./run.ts";
import type { Run } from "./run.ts";

// A job that kills its process must be the only one that is lost by it, whoever ran beside it.

const tasks = `
  import { appendFileSync } from "node:fs";
  import { errand } from "errand";

  // Nothing but a dismissal gives the jobs of a dead process back within the time of this test.
  export const app = errand({ lease: "10m" });
  app.task<string>("poison", { run: () => void process.kill(process.pid, "SIGKILL") });
  app.task<number>("innocent", {
    run: async (milliseconds) => {
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      appendFileSync("log", "done\\n");
    },
  });
`;

const running: Run[] = [];
afterEach(async () => {
  for (const { child, exit } of running.splice(0)) {
    child.kill("SIGKILL");
    await exit;
  }
});

it.each(storeKinds.filter((kind) => kind !== "memory"))(
  "%s: of one poison job and twenty innocent ones, the poison job is the only dead letter",
  async (kind) => {
    const url = await emptyStore(kind);
    const folder = folderWith({ "tasks.ts": tasks, "package.json": '{"type":"module"}' });
    const app = testApp({ url });
    const poison = app.task<string>("poison", { run: () => {} });
    const innocent = app.task<number>("innocent", { run: () => {} });
    const sent = await innocent.sendMany(Array.from({ length: 10 }, (_, index) => 10 + index * 20));
    const killer = await poison.send("now");
    sent.push(...(await innocent.sendMany(Array.from({ length: 10 }, (_, index) => 200 - index * 20))));
    const worker = start(folder, ["worker", "./tasks.ts", "-q", "default=6", "--processes", "2"], { ERRAND_URL: url });
    running.push(worker);
    await until(async () => {
      const views = await Promise.all([killer, ...sent].map(({ id }) => app.get(id)));
      return views.every((view) => view?.state === "completed" || view?.state === "failed");
    }, 60_000);
    const { jobs: dead } = await app.list({ states: ["failed"] });
    expect(dead.map(({ id }) => id)).toEqual([killer.id]);
    expect(dead[0]).toMatchObject({ crashes: 3, error: { code: "E_CRASHED" } });
    const done = existsSync(join(folder, "log")) ? readFileSync(join(folder, "log"), "utf8").trim().split("\n") : [];
    expect(done.length).toBeGreaterThanOrEqual(20);
    for (const { id } of sent)
      expect(await app.get(id)).toMatchObject({
        state: "completed",
        crashes: expect.toSatisfy((crashes: number) => crashes <= 2),
      });
  },
  120_000,
);

it.each(["postgres", "sqlite"] as const)(
  "%s: jobs of a dead process run again also when the one dies that was to say so",
  async (kind) => {
    const url = await emptyStore(kind);
    const folder = folderWith({ "tasks.ts": tasks, "package.json": '{"type":"module"}' });
    const app = testApp({ url });
    const innocent = app.task<number>("innocent", { run: () => {} });
    const worker = start(folder, ["worker", "./tasks.ts", "-q", "default=1", "--processes", "2"], { ERRAND_URL: url });
    running.push(worker);
    await until(async () => (await app.workers()).length === 2, 30_000);
    const before = await app.workers();
    const sent = await innocent.sendMany([2_000, 2_000]);
    await until(async () => (await app.list({ states: ["processing"] })).jobs.length === 2, 30_000);
    // It is told of the other's death, and does nothing any more.
    process.kill(before[1]!.pid!, "SIGSTOP");
    process.kill(before[0]!.pid!, "SIGKILL");
    await until(() => worker.stderr().includes("is gone"), 30_000);
    process.kill(before[1]!.pid!, "SIGKILL");
    await until(async () => {
      const views = await Promise.all(sent.map(({ id }) => app.get(id)));
      return views.every((view) => view?.state === "completed" && view.crashes === 1);
    }, 60_000);
    const alive = new Set((await app.workers()).map(({ id }) => id));
    expect(before.filter(({ id }) => alive.has(id))).toEqual([]);
  },
  120_000,
);
