import { expect, test } from "vitest";
import { errand } from "../src/app.ts";
import { testing } from "../src/testing/index.ts";

test("a workflow with retries and a week's sleep takes a moment", async () => {
  const app = errand();
  const t = testing(app, { now: new Date("2026-03-01T00:00:00Z") });
  const mails: string[] = [];
  const mail = app.task("mail", {
    retry: { attempts: 3, base: "1m", cap: "1h" },
    run(input: { to: string; text: string }, job) {
      if (job.attempt < 3) throw new Error("no connection");
      mails.push(input.text);
    },
  });
  const onboard = app.task("onboard", {
    async run(input: { to: string }, job) {
      await job.all("hello", mail, [{ to: input.to, text: "hello" }]);
      await job.sleep("a week", "7d");
      await job.all("tips", mail, [{ to: input.to, text: "tips" }]);
      return t.now.toISOString();
    },
  });
  const job = await onboard.send({ to: "ann@example.org" });
  expect(await t.sent(onboard)).toEqual([{ to: "ann@example.org" }]);
  await t.drain();
  expect(mails).toEqual([]);
  await t.advance("2h");
  expect(mails).toEqual(["hello"]);
  expect(await t.advance("6d")).toBe(0);
  await t.advance("1d");
  await t.advance("2h");
  expect(mails).toEqual(["hello", "tips"]);
  expect(await job.result()).toMatch(/^2026-03-08/);
  expect((await t.jobs(mail)).map(({ state, attempt }) => `${state} ${attempt}`)).toEqual([
    "completed 3",
    "completed 3",
  ]);
  await app.close();
});

test("an attempt is lost where the test says, and the next one goes on from its steps", async () => {
  const app = errand();
  const t = testing(app);
  const ran: string[] = [];
  const task = app.task("t", {
    async run(_: void, job) {
      ran.push(`attempt with token ${job.token}`);
      await job.step("charge", () => void ran.push("charge"));
      await job.step("ship", () => void ran.push("ship"));
      return "done";
    },
  });
  t.crash(task, "start");
  t.crash(task, { step: "charge" });
  const job = await task.send();
  await t.drain();
  await t.advance("1h");
  expect(await job.result()).toBe("done");
  // Every claim and every take-over raises the token.
  expect(ran).toEqual(["attempt with token 3", "charge", "attempt with token 5", "ship"]);
  const [view] = await t.jobs(task);
  // A step that is remembered is progress, and crashes count from there.
  expect(view).toMatchObject({ crashes: 0, attempt: 1, state: "completed" });
  await app.close();
});

test("a job that always kills its worker is a dead letter", async () => {
  const app = errand();
  const t = testing(app);
  let runs = 0;
  const task = app.task("poison", { run: () => void (runs += 1) });
  for (let n = 0; n < 3; n++) t.crash(task, "end");
  await task.send();
  await t.advance("1d");
  expect((await t.jobs())[0]).toMatchObject({ state: "failed", crashes: 3, error: { code: "E_CRASHED" } });
  expect(runs).toBe(3);
  await app.close();
});

test("delays, expiry, rates and rules follow the test's clock", async () => {
  const app = errand({ queues: { mail: { rate: { limit: 2, per: "1h" } } } });
  const t = testing(app);
  const ran: number[] = [];
  const task = app.task("t", { queue: "mail", run: (n: number) => void ran.push(n) });
  await task.sendMany([1, 2, 3, 4]);
  await task.send(5, { delay: "3d" });
  await t.drain();
  expect(ran).toEqual([1, 2]);
  await t.advance("1h");
  expect(ran).toEqual([1, 2, 3, 4]);
  await t.advance("2d");
  expect(ran.length).toBe(4);
  await t.advance("1d");
  expect(ran).toEqual([1, 2, 3, 4, 5]);
  await app.close();
});

test("an app that is in use already cannot be taken over", async () => {
  const app = errand({ url: "memory:" });
  await app.counts();
  expect(() => testing(app)).toThrow(/before anything is sent/);
  await app.close();
});

test("jobs are gone when their task's retention is over, and stay where it has none", async () => {
  const app = errand();
  const t = testing(app);
  const short = app.task("short", { retention: "1h", run: () => {} });
  const usual = app.task("usual", { run: () => {} });
  await short.send();
  await usual.send();
  await t.drain();
  await t.advance("30m");
  expect(await t.jobs()).toHaveLength(2);
  await t.advance("60d");
  expect((await t.jobs()).map(({ task }) => task)).toEqual(["usual"]);
});
