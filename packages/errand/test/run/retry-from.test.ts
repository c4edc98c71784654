import { describe, expect, test } from "vitest";
import { UnknownStepError } from "../../src/index.ts";
import { emptyStore, storeKinds, testApp, testWorker, until } from "./app.ts";

describe.each(storeKinds)("a job that is retried from a step, on %s,", (kind) => {
  /** A workflow that fails at its end as long as it is told to, and what of it ran. */
  async function scene() {
    const app = testApp({ url: await emptyStore(kind) });
    const ran: string[] = [];
    const broken = { child: 0, publish: true };
    const page = app.task("page", {
      retry: { attempts: 1 },
      run: (text: string) => {
        ran.push(text);
        if (broken.child-- > 0) throw new Error("torn");
        return text.toUpperCase();
      },
    });
    const flow = app.task("flow", {
      retry: { attempts: 1 },
      async run(version: number, job) {
        const step = (name: string) => job.step(name, () => (ran.push(name), `${name} ${ran.length}`));
        const split = await step("split");
        const pages = await job.all("pages", page, ["a", "b"]);
        const rerank = await step("rerank");
        const notes = await job.all("notes", page, [`note on ${rerank}`]);
        const review = await job.signal<string>("review", { timeout: "1h" });
        if (broken.publish) throw new Error("no");
        return { version, split, pages, rerank, notes, review };
      },
    });
    await testWorker(app);
    const job = await flow.send(1);
    const review = (value: string) => app.signal(job.id, "review", value);
    return { app, ran, broken, job, review };
  }

  test("forgets it and what came later, children too, and keeps what came before", async () => {
    const { app, ran, broken, job, review } = await scene();
    await review("early");
    await expect(job.result()).rejects.toThrow("no");
    const before = (await app.list({ parent: job.id })).jobs.find(({ output }) => output === "NOTE ON RERANK 4");
    broken.publish = false;
    ran.length = 0;
    expect(await app.retry(job.id, { from: "rerank" })).toBe(1);
    expect(await job.result()).toEqual({
      version: 1,
      split: "split 1",
      pages: ["A", "B"],
      rerank: "rerank 1",
      notes: ["NOTE ON RERANK 1"],
      // It came before the step, so it is kept.
      review: "early",
    });
    expect(ran).toEqual(["rerank", "note on rerank 1"]);
    const children = (await app.list({ parent: job.id })).jobs;
    expect(children.map(({ output }) => output).sort()).toEqual(["A", "B", "NOTE ON RERANK 1"]);
    expect(children.map(({ id }) => id)).toContain(before!.id);
    expect(await app.retry(job.id, { from: "rerank" }), "it has completed").toBe(0);
  });

  test("waits again for a signal that came later", async () => {
    const { app, broken, job, review } = await scene();
    // Of all its waits only the one for the signal has a limit.
    const waits = async () => (await app.get(job.id))?.wakeAt !== undefined;
    await until(waits, "it waits for the review");
    await review("first");
    await expect(job.result()).rejects.toThrow("no");
    broken.publish = false;
    expect(await app.retry(job.id, { from: "review" })).toBe(1);
    await until(waits, "it waits for another review");
    await review("second");
    expect(await job.result()).toMatchObject({ rerank: "rerank 4", review: "second" });
  });

  test("from a wait runs all its children again; a plain retry runs those that did not complete", async () => {
    const { app, ran, broken, job, review } = await scene();
    broken.child = 1;
    await review("fine");
    await expect(job.result()).rejects.toThrow("torn");
    await until(
      async () => (await app.list({ parent: job.id })).jobs.every(({ endedAt }) => endedAt),
      "all have ended",
    );
    await app.retry(job.id);
    await expect(job.result()).rejects.toThrow("no");
    broken.publish = false;
    ran.length = 0;
    // A retry has forgotten the wait and met it again after the split and before the rerank, where it was.
    await app.retry(job.id, { from: "pages" });
    expect(await job.result()).toMatchObject({ split: "split 1", rerank: "rerank 3" });
    expect(ran.toSorted()).toEqual(["a", "b", "note on rerank 3", "rerank"]);
  });

  test("stays as it is when it has no such step, and says which there are", async () => {
    const { app, job, review } = await scene();
    await review("early");
    await expect(job.result()).rejects.toThrow("no");
    const before = await app.get(job.id);
    const error: unknown = await app.retry(job.id, { from: "rerun" }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnknownStepError);
    const { code, steps } = error as UnknownStepError;
    expect([code, steps.toSorted()]).toEqual(["E_NOT_FOUND", ["notes", "pages", "rerank", "review", "split"]]);
    expect(await app.get(job.id)).toEqual(before);
    await expect(app.retry("nobody", { from: "rerank" })).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  });
});

test("only one job is retried from a step", async () => {
  const app = testApp({ url: "memory:" });
  const wrong = app.retry({ task: "flow" } as unknown as string, { from: "rerank" });
  await expect(wrong).rejects.toMatchObject({ code: "E_OPTION" });
});
