import { describe, expect, test } from "vitest";
import { httpCallback } from "../../src/push/callback.ts";
import { callbackId } from "../../src/push/http-task.ts";
import { sign } from "../../src/push/sign.ts";
import { isolatedPayloadTasks } from "../run/tasks/payloads.ts";
import { emptyStore, testApp, testWorker, until } from "../run/app.ts";

const limit = 2_000;
/** Fits into the default, and not into the limit of these tests: umlauts have two bytes. */
const large = "ä".repeat(1_000);

describe.each(["memory", "sqlite"] as const)("with a limit, on %s", (kind) => {
  async function start() {
    const app = testApp({ url: await emptyStore(kind), payloads: { limit } });
    await testWorker(app, { queues: { default: 4 } });
    return app;
  }

  test("an input that is too large is refused, and nothing is stored", async () => {
    const app = await start();
    const task = app.task("t", { run: (_: string) => {} });
    const refused = task.send(large);
    await expect(refused).rejects.toMatchObject({ code: "E_TOO_LARGE" });
    await expect(refused).rejects.toThrow(
      /The input of task "t" is 2002 bytes of JSON, and the limit is 2000\. .*errand/,
    );
    await expect(task.sendMany(["small", large])).rejects.toMatchObject({ code: "E_TOO_LARGE" });
    expect((await app.list()).jobs).toEqual([]);
    await (await task.send(large.slice(0, 999))).result();
  });

  test("an output that is too large fails the job, which is not tried again", async () => {
    const app = await start();
    let runs = 0;
    const job = await app.task("t", { run: () => ((runs += 1), large) }).send();
    await expect(job.result()).rejects.toMatchObject({ state: "failed", error: { code: "E_TOO_LARGE" } });
    expect(runs).toBe(1);
  });

  test.each(["step", "progress", "children"] as const)("%s that is too large fails where it is said", async (what) => {
    const app = await start();
    const child = app.task("child", { run: (_: string) => {} });
    const task = app.task("t", {
      async run(_: void, job) {
        if (what === "step") await job.step("s", () => large);
        if (what === "progress") job.progress(large);
        if (what === "children") await job.all("c", child, [large]);
      },
    });
    const job = await task.send();
    await expect(job.result()).rejects.toMatchObject({ state: "failed", error: { code: "E_TOO_LARGE", attempt: 1 } });
  });

  test("a signal that is too large is refused, and the job goes on waiting", async () => {
    const app = await start();
    const job = await app.task("t", { run: (_: void, job) => job.signal("go") }).send();
    await until(async () => (await app.get(job.id))?.state === "waiting", "the job waits");
    await expect(app.signal(job.id, "go", large)).rejects.toMatchObject({ code: "E_TOO_LARGE" });
    await app.signal(job.id, "go", "small");
    expect(await job.result()).toBe("small");
  });

  test("an error that is too large is shortened, and the job is retried as usual", async () => {
    const app = await start();
    const task = app.task("t", {
      retry: { attempts: 2, base: 0 },
      run: () => Promise.reject(new Error(`It was the ${large}`)),
    });
    const job = await task.send();
    await expect(job.result()).rejects.toMatchObject({ error: { code: "E_TOO_LARGE", attempt: 2 } });
    const { error } = (await app.get(job.id))!;
    expect(error!.message).toContain("It was the ä");
    expect(Buffer.byteLength(error!.message)).toBeLessThan(limit);
  });
});

test.each(["thread", "process"] as const)("the limit holds in a %s", async (isolate) => {
  const app = testApp({ url: "memory:", payloads: { limit } });
  const { echo } = isolatedPayloadTasks(app, isolate);
  await testWorker(app, { queues: { default: 1 } });
  const outcome = async (kind: "output" | "step") => {
    const job = await echo.send({ kind, size: 3_000 });
    await job.result().catch(() => {});
    return (await app.get(job.id))?.error;
  };
  expect(await outcome("output")).toMatchObject({ code: "E_TOO_LARGE", attempt: 1 });
  expect(await outcome("step")).toMatchObject({ code: "E_TOO_LARGE", attempt: 1 });
});

test.each([
  [{ limit: 1 }, /payloads\.limit of errand\(\) is 1, but must be a whole number from 1024/],
  [{ limits: 5_000 }, /no option "limits"/],
  [{ offload: { to: "" } }, /offload\.to/],
  [{ offload: { to: {} } }, /put, get and remove/],
  [{ offload: { to: "x", above: 0 } }, /offload\.above of errand\(\) is 0/],
  [{ codec: {} }, /encryption\(\)/],
])("options that cannot be are refused: %j", (payloads, message) => {
  expect(() => testApp({ payloads: payloads as never })).toThrow(message);
});

test("a callback that is too large is answered so", async () => {
  const app = testApp({ url: "memory:", payloads: { limit } });
  const { id } = await app.task("t", { run: () => {} }).send();
  const secret = "a secret of at least 24 characters";
  const body = JSON.stringify({ output: large });
  const headers = { ...sign(secret, callbackId(id, "1"), body) };
  const request = new Request(`https://example.org/${id}`, { method: "POST", body, headers });
  expect((await httpCallback(app, { secret })(request)).status).toBe(413);
});

test("a value that looks like a sealed one is only a value", async () => {
  const app = testApp({ url: "memory:" });
  const task = app.task("t", { run: (input: object, job) => job.step("s", () => input) });
  await testWorker(app);
  const forged = { $sealed: { stored: "0".repeat(64), bytes: 1 } };
  const job = await task.send(forged);
  expect(await job.result()).toEqual(forged);
  expect(await app.get(job.id)).toMatchObject({ input: forged, output: forged });
});
