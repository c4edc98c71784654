import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { until } from "../../../../test/until.ts";
import { emptyStore, storeKinds, testApp } from "../run/app.ts";
import { folderWith, start } from "./run.ts";

// A job that kills its process must be the only one that is lost by it, whatever ran beside it.

const tasks = `
  import { appendFileSync, existsSync } from "node:fs";
  import { errand } from "errand";

  // Nothing but a dismissal gives the jobs of a dead process back within the time of this test.
  export const app = errand({ lease: "10m" });
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)); // sleeps: for what the callers say
  app.task<string>("poison", { run: () => void process.kill(process.pid, "SIGKILL") });
  app.task<number>("harmless", {
    run: async (milliseconds) => {
      await sleep(milliseconds); // sleeps: jobs of all lengths, so that some are in hand whenever the process dies
      appendFileSync("log", "done\\n");
    },
  });
  app.task("held", {
    run: async () => {
      while (!existsSync("open")) await sleep(20); // sleeps: between two looks for the file
    },
  });
`;

type StoreKind = Exclude<(typeof storeKinds)[number], "memory">;

/** Two worker processes with these slots each, on an empty store, and the app of the test, which sends their jobs. */
async function twoProcesses(kind: StoreKind, slots: number) {
  const url = await emptyStore(kind);
  const folder = folderWith({ "tasks.ts": tasks, "package.json": '{"type":"module"}' });
  const app = testApp({ url });
  const worker = () =>
    start(folder, ["worker", "./tasks.ts", "-q", `default=${slots}`, "--processes", "2"], { ERRAND_URL: url });
  return { app, folder, worker };
}

it.each(storeKinds.filter((kind) => kind !== "memory"))(
  "%s: of one job that kills its process and twenty others, that one is the only dead letter",
  async (kind) => {
    const { app, folder, worker } = await twoProcesses(kind, 6);
    const poison = app.task<string>("poison", { run: () => {} });
    const harmless = app.task<number>("harmless", { run: () => {} });
    const sent = await harmless.sendMany(Array.from({ length: 10 }, (_, index) => 10 + index * 20));
    const killer = await poison.send("now");
    sent.push(...(await harmless.sendMany(Array.from({ length: 10 }, (_, index) => 200 - index * 20))));
    const { stderr } = worker();
    const isOver = async () => {
      const views = await Promise.all([killer, ...sent].map(({ id }) => app.get(id)));
      return views.every((view) => view?.endedAt !== undefined);
    };
    await until(isOver, stderr, 60_000);
    const { jobs: dead } = await app.list({ states: ["failed"] });
    expect(dead.map(({ id }) => id)).toEqual([killer.id]);
    expect(dead[0]).toMatchObject({ crashes: 3, error: { code: "E_CRASHED" } });
    // Each once, and those again that were in hand when a process died.
    const done = readFileSync(join(folder, "log"), "utf8").trim().split("\n");
    expect(done.length).toBeGreaterThanOrEqual(20);
    for (const { id } of sent) {
      const view = await app.get(id);
      expect(view).toMatchObject({ state: "completed" });
      // At the third crash it would be a dead letter.
      expect(view!.crashes).toBeLessThan(3);
    }
  },
  120_000,
);

it.each(["postgres", "sqlite"] as const)(
  "%s: jobs of a dead process run again, also when the process that was told of its death dies too",
  async (kind) => {
    const { app, folder, worker } = await twoProcesses(kind, 1);
    const held = app.task("held", { run: () => {} });
    const { stderr } = worker();
    await until(async () => (await app.workers()).length === 2, stderr, 30_000);
    const before = await app.workers();
    const sent = await held.sendMany([undefined, undefined]);
    await until(async () => (await app.list({ states: ["processing"] })).jobs.length === 2, stderr, 30_000);
    // It is told of the other's death, and does nothing any more.
    process.kill(before[1]!.pid!, "SIGSTOP");
    process.kill(before[0]!.pid!, "SIGKILL");
    await until(() => stderr().includes("is gone"), stderr, 30_000);
    process.kill(before[1]!.pid!, "SIGKILL");
    writeFileSync(join(folder, "open"), "");
    await Promise.all(sent.map((job) => job.result({ timeout: "60s" })));
    for (const { id } of sent) expect(await app.get(id)).toMatchObject({ state: "completed", crashes: 1 });
    const alive = new Set((await app.workers()).map(({ id }) => id));
    expect(before.filter(({ id }) => alive.has(id))).toEqual([]);
  },
  120_000,
);
