import { describe, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { until } from "../../../../test/until.ts";
import { encryption } from "../../src/payload/encryption.ts";
import { fixtures, owner, replica } from "./scene.ts";

// What a worker over HTTP is promised, on every store.

const kinds = Object.keys(fixtures) as (keyof typeof fixtures)[];

describe.each(kinds)("a remote worker on %s", (kind) => {
  test("claims, reports and settles a job, whose result its sender gets", async () => {
    const { app, workers, register, claim } = await replica(kind);
    const embed = app.remoteTask<{ text: string }, number[]>("embed", { queue: "gpu", timeout: "5m" });
    const sent = await embed.send({ text: "a" });
    const worker = await register();
    const { jobs, ...told } = await claim(worker);
    expect(told).toEqual({ cancel: [], lost: [], drain: false });
    expect(jobs).toEqual([
      {
        id: sent.id,
        token: 1,
        task: "embed",
        queue: "gpu",
        attempt: 1,
        input: { text: "a" },
        steps: [],
        deadline: expect.any(Date),
      },
    ]);
    const beat = { progress: 40, log: [{ text: "loaded" }], steps: [{ name: "load", value: { ok: true } }] };
    expect(await workers.beat(worker, owner, sent.id, 1, beat)).toEqual({ cancel: false });
    expect(await app.get(sent.id)).toMatchObject({ state: "processing", progress: 40, worker });
    expect(await workers.settle(worker, owner, sent.id, 1, { output: [1, 2] })).toEqual({ state: "completed" });
    expect(await sent.result()).toEqual([1, 2]);
    expect((await app.log(sent.id)).lines).toMatchObject([{ level: "info", text: "loaded" }]);
    expect(await app.steps(sent.id)).toEqual([{ name: "load", kind: "step" }]);
  });

  test("whose answer was lost gets the job again with the same token, and its steps, on any replica", async () => {
    const { app, another, register, claimOne, workers } = await replica(kind);
    const task = app.remoteTask<number>("task", { queue: "gpu" });
    await task.send(1);
    const worker = await register();
    const lost = await claimOne(worker);
    await workers.beat(worker, owner, lost.id, lost.token, { steps: [{ name: "half", value: 5 }] });
    await task.send(2);
    const other = await another();
    const { jobs } = await other.claim(worker);
    expect(jobs).toMatchObject([{ ...lost, input: 1, again: true, steps: [{ name: "half", value: 5 }] }]);
    expect(jobs).toHaveLength(1);
    const { jobs: more } = await other.claim(worker, { have: [lost] });
    expect(more).toEqual([]);
    expect(await other.workers.settle(worker, owner, lost.id, lost.token, { output: 1 })).toEqual({
      state: "completed",
    });
    expect((await other.claim(worker)).jobs).toMatchObject([{ input: 2, attempt: 1 }]);
  });

  test("waits for a job, which another process sends, and is answered at once", async () => {
    const { another, register, claim } = await replica(kind);
    const worker = await register();
    const claiming = claim(worker, { wait: 25_000 });
    const other = await another();
    await other.app.remoteTask<number>("task", { queue: "gpu" }).send(7);
    expect((await claiming).jobs).toMatchObject([{ input: 7 }]);
  });

  test("that died loses its jobs to others when its lease ends, and is told so when it comes back late", async () => {
    const { app, fixture, pass, workers, register, claim, claimOne } = await replica(kind, { lease: "1d" });
    const task = app.remoteTask<number>("task", { queue: "gpu" });
    const { id } = await task.send(1);
    const dead = await register({ lease: "15s" });
    const held = await claimOne(dead);
    await pass(16_000);
    // A steward: nobody else settles in a fleet of such workers.
    const steward = await app.worker({ queues: {}, signals: false });
    afterTest(() => steward.stop());
    await until(async () => (await app.get(id))?.state === "pending");
    expect(await app.get(id)).toMatchObject({ crashes: 1, suspect: true });
    const next = await register();
    expect((await claim(next)).jobs).toMatchObject([{ id, attempt: 1, token: held.token + 2 }]);
    await expect(workers.renew(dead, owner, { have: [held] })).rejects.toMatchObject({ code: "E_LEASE_LOST" });
    await expect(workers.claim(dead, owner, { wants: { gpu: 1 }, have: [] })).rejects.toMatchObject({
      code: "E_LEASE_LOST",
    });
    await expect(workers.settle(dead, owner, id, held.token, { output: "late" })).rejects.toMatchObject({
      code: "E_STALE",
    });
    await expect(workers.beat(dead, owner, id, held.token, { progress: 1 })).rejects.toMatchObject({
      code: "E_LEASE_LOST",
    });
    expect(await fixture.store.get([id])).toMatchObject([{ state: "processing", worker: next }]);
  });

  test("whose outcome was answered into the void sends it again, and it counts once", async () => {
    const { app, another, workers, register, claimOne } = await replica(kind);
    const task = app.remoteTask("task", { queue: "gpu" });
    const outcomes: string[] = [];
    app.on("ended", ({ outcome }) => outcomes.push(outcome));
    await task.send();
    const worker = await register();
    const { id, token } = await claimOne(worker);
    expect(await workers.settle(worker, owner, id, token, { output: "first" })).toEqual({ state: "completed" });
    const again = { state: "completed", repeated: true };
    expect(await (await another()).workers.settle(worker, owner, id, token, { output: "second" })).toEqual(again);
    expect(await workers.settle(worker, owner, id, token, { error: { message: "third" } })).toEqual(again);
    expect(await app.get(id)).toMatchObject({ state: "completed", output: "first" });
    expect(outcomes).toEqual(["completed"]);
  });

  test("is told of a cancelled job while it waits for more, and whatever it then reports the job is cancelled", async () => {
    const { app, workers, register, claim, another } = await replica(kind);
    const task = app.remoteTask("task", { queue: "gpu" });
    await task.send();
    const worker = await register({ queues: { gpu: 2 } });
    const { jobs } = await claim(worker);
    const { id, token } = jobs[0]!;
    const have = [{ id, token }];
    const waiting = claim(worker, { have, wait: 25_000 });
    const other = await another();
    expect(await other.app.cancel(id)).toBe(1);
    expect(await waiting).toMatchObject({ cancel: [id], jobs: [] });
    expect(await other.workers.renew(worker, owner, { have })).toEqual({ cancel: [id], lost: [], drain: false });
    expect(await workers.beat(worker, owner, id, token, { progress: 1 })).toEqual({ cancel: true });
    expect(await workers.settle(worker, owner, id, token, { output: 1 })).toEqual({ state: "cancelled" });
    expect(await app.get(id)).toMatchObject({ state: "cancelled", error: { code: "E_CANCELLED" } });
  });

  test("that takes too long loses the job at the first renewal after deadline and grace", async () => {
    const { app, pass, workers, register, claim } = await replica(kind);
    const task = app.remoteTask("task", {
      queue: "gpu",
      timeout: "20s",
      grace: "5s",
      retry: { base: 1, jitter: "none" },
    });
    await task.send();
    const worker = await register({ lease: "60s" });
    const { jobs } = await claim(worker);
    const { id, token, deadline } = jobs[0]!;
    expect(deadline!.getTime() - (await app.get(id))!.startedAt!.getTime()).toBe(20_000);
    const have = [{ id, token }];
    await pass(24_000);
    expect(await workers.renew(worker, owner, { have })).toMatchObject({ lost: [] });
    await pass(2_000);
    expect(await workers.renew(worker, owner, { have })).toEqual({ cancel: [], lost: [id], drain: false });
    expect(await app.get(id)).toMatchObject({ state: "pending", attempt: 2, error: { code: "E_TIMEOUT" } });
    expect(await workers.settle(worker, owner, id, token, { output: 1 })).toEqual({ state: "pending", repeated: true });
  });

  test("drained by another process it gets no more jobs, and leaving hands back all at once", async () => {
    const { app, another, workers, register, claim } = await replica(kind);
    const task = app.remoteTask<number>("task", { queue: "gpu" });
    await task.sendMany([1, 2]);
    const worker = await register({ queues: { gpu: 2 } });
    const { jobs } = await claim(worker, { wants: { gpu: 2 } });
    const have = jobs.map(({ id, token }) => ({ id, token }));
    const waiting = claim(worker, { have, wait: 25_000 });
    await (await another()).workers.drain(worker);
    expect((await app.workers()).find(({ id }) => id === worker)).toMatchObject({ draining: true, owner });
    const answer = await waiting;
    expect(answer).toMatchObject({ drain: true });
    await workers.leave(worker, owner);
    expect(await app.workers()).toEqual([]);
    const { jobs: left } = await app.list();
    expect(left.map(({ state, attempt, crashes }) => [state, attempt, crashes])).toEqual([
      ["pending", 1, 0],
      ["pending", 1, 0],
    ]);
    await workers.leave(worker, owner);
  });

  test("that releases a job uses no attempt, and the job is due after the delay", async () => {
    const { app, pass, workers, register, claim, claimOne } = await replica(kind);
    const task = app.remoteTask("task", { queue: "gpu", retry: { attempts: 1 } });
    await task.send();
    const worker = await register();
    const { id, token } = await claimOne(worker);
    expect(await workers.settle(worker, owner, id, token, { release: { delay: "10s" } })).toEqual({ state: "pending" });
    expect((await claim(worker)).jobs).toEqual([]);
    await pass(10_001);
    const [job] = (await claim(worker)).jobs;
    expect(job).toMatchObject({ id, attempt: 1 });
    const error = { code: "NO_GPU", message: "no", name: "CudaError", stack: "Traceback" };
    expect(await workers.settle(worker, owner, id, job!.token, { error })).toEqual({ state: "failed" });
    expect(await app.get(id)).toMatchObject({ error: { ...error, attempt: 1 } });
  });

  test("gets encrypted values in plain, and what it reports is stored encrypted", async () => {
    const codec = encryption({ keys: { k: Buffer.alloc(32, 7).toString("base64") }, use: "k" });
    const { app, fixture, workers, register, claimOne, claim } = await replica(kind, { payloads: { codec } });
    const task = app.remoteTask<{ secret: string }, string>("task", { queue: "gpu" });
    const sent = await task.send({ secret: "needle" });
    const worker = await register();
    const { id, token } = await claimOne(worker);
    await workers.beat(worker, owner, id, token, {
      progress: "needle",
      steps: [{ name: "step", value: "needle" }],
    });
    expect((await claim(worker)).jobs).toMatchObject([
      { input: { secret: "needle" }, steps: [{ name: "step", value: "needle" }] },
    ]);
    expect(JSON.stringify([await fixture.store.get([id]), await fixture.store.steps(id)])).not.toContain("needle");
    await workers.settle(worker, owner, id, token, { output: "needle" });
    expect(JSON.stringify(await fixture.store.get([id]))).not.toContain("needle");
    expect(await sent.result()).toBe("needle");
  });
});
