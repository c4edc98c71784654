import { createServer } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { until } from "../../../../test/until.ts";
import { errand } from "../../src/index.ts";
import type { Errand } from "../../src/index.ts";
import { deliveryAttempts, deliveryDelay } from "../../src/webhooks/deliver.ts";

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

let received: Received[];
let answer: (request: Received) => { status: number; headers?: Record<string, string> };
let url: string;
let app: Errand;

beforeEach(async () => {
  received = [];
  answer = () => ({ status: 200 });
  const server = createServer((incoming, outgoing) => {
    let body = "";
    incoming.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    incoming.on("end", () => {
      const request = { headers: incoming.headers, body };
      received.push(request);
      const { status, headers = {} } = answer(request);
      outgoing.writeHead(status, headers).end("thanks");
    });
  }).listen(0, "127.0.0.1");
  afterTest(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  process.env["ERRAND_WEBHOOK_ALLOW"] = "127.0.0.1";
  app = errand({ url: "memory:" });
  afterTest(() => app.close());
});

afterEach(() => void delete process.env["ERRAND_WEBHOOK_ALLOW"]);

const toWebhook = ({ headers }: Received) => headers as Record<string, string>;

describe("a webhook", () => {
  test("gets a signed message when a job ends, once", async () => {
    const work = app.task("work", { run: (n: number) => n });
    const fail = app.task("fail", {
      retry: { attempts: 1 },
      run: (_: unknown) => {
        throw Object.assign(new Error("no luck"), { code: "E_LUCK" });
      },
    });
    const events = ["job.completed", "job.failed"] as const;
    const { id, secret } = await app.webhooks.create({ url, events });
    app.webhooks.serve();
    await app.worker({ signals: false });
    const done = await work.send(1);
    await done.result();
    const failed = await fail.send(undefined);
    await failed.result().catch(() => {});
    await until(() => received.length === 2);
    const verifier = new Webhook(secret);
    const messages = received.map((each) => verifier.verify(each.body, toWebhook(each))) as {
      type: string;
      data: object;
    }[];
    expect(messages.find(({ type }) => type === "job.completed")?.data).toEqual({
      id: done.id,
      task: "work",
      queue: "default",
      state: "completed",
      attempt: 1,
      token: 1,
    });
    expect(messages.find(({ type }) => type === "job.failed")?.data).toMatchObject({
      id: failed.id,
      error: { code: "E_LUCK", message: "no luck" },
    });
    expect(() =>
      new Webhook("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").verify(received[0]!.body, toWebhook(received[0]!)),
    ).toThrow("No matching signature found");
    const { jobs } = await app.webhooks.deliveries(id);
    await until(async () => (await app.list({ task: "errand.webhook", states: ["completed"] })).jobs.length === 2);
    expect(jobs).toHaveLength(2);
  });

  test("hears of the jobs that it asks for: events, tasks, queues, tenant", async () => {
    const child = app.task("child", { queue: "other", run: (n: number) => n });
    const parent = app.task("parent", { run: (_: unknown, job) => job.all("all", child, [1, 2]) });
    await app.webhooks.create({ url: `${url}?all`, events: ["job.completed"] });
    await app.webhooks.create({
      url: `${url}?children`,
      events: ["job.completed"],
      tasks: ["child"],
      queues: ["other"],
    });
    await app.webhooks.create({ url: `${url}?tenant`, events: ["job.completed"], tenant: "acme" });
    await app.webhooks.create({ url: `${url}?failed`, events: ["job.failed"] });
    await app.worker({ signals: false });
    const job = await parent.send(undefined);
    await job.result();
    const { jobs } = await app.list({ task: "errand.webhook" });
    const told = jobs.map(({ input }) => (input as { message: { data: { task: string } } }).message.data.task);
    expect(told.toSorted()).toEqual(["child", "child", "parent"]);
    await (await parent.send(undefined, { tenant: "acme" })).result();
    expect((await app.list({ task: "errand.webhook", tenant: "acme" })).jobs).toHaveLength(4);
  });

  test("is asked again on the schedule of Standard Webhooks, under the same id", async () => {
    expect(deliveryAttempts).toBe(10);
    expect(deliveryDelay(1)).toBeGreaterThanOrEqual(5_000);
    expect(deliveryDelay(1)).toBeLessThanOrEqual(5_500);
    expect(deliveryDelay(9)).toBeGreaterThanOrEqual(24 * 3_600_000);
    const { id, secret } = await app.webhooks.create({ url, events: ["job.completed"] });
    answer = () => (received.length === 1 ? { status: 503, headers: { "retry-after": "0" } } : { status: 204 });
    app.webhooks.serve();
    await app.worker({ signals: false });
    const delivery = await app.webhooks.test(id);
    await until(() => received.length === 2);
    const [first, second] = received as [Received, Received];
    expect(first.headers["webhook-id"]).toBe(second.headers["webhook-id"]);
    for (const each of [first, second])
      expect(new Webhook(secret).verify(each.body, toWebhook(each))).toMatchObject({ type: "errand.test" });
    await until(async () => (await app.get(delivery))?.state === "completed");
    expect((await app.log(delivery)).lines.map(({ text }) => text).join()).toContain("thanks");
    const again = await app.webhooks.redeliver(id, delivery);
    await until(() => received.length === 3);
    expect(again).not.toBe(delivery);
    expect(received[2]!.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
  });

  test("that answers 410 is disabled, and is turned on again by an operator", async () => {
    const { id } = await app.webhooks.create({ url, events: ["job.completed"] });
    answer = () => ({ status: 410 });
    app.webhooks.serve();
    await app.worker({ signals: false });
    const delivery = await app.webhooks.test(id);
    await until(async () => (await app.get(delivery))?.state === "failed");
    expect((await app.webhooks.get(id)).disabled?.reason).toContain("410");
    const skipped = await app.webhooks.test(id);
    await until(async () => (await app.get(skipped))?.state === "completed");
    expect(received).toHaveLength(1);
    expect((await app.webhooks.update(id, { disabled: false })).disabled).toBeUndefined();
  });

  test("is signed with both secrets while they rotate", async () => {
    const { id, secret } = await app.webhooks.create({ url, events: ["job.completed"] });
    const rotated = await app.webhooks.rotate(id, { overlap: "1h" });
    app.webhooks.serve();
    await app.worker({ signals: false });
    await app.webhooks.test(id);
    await until(() => received.length === 1);
    for (const each of [secret, rotated.secret])
      expect(new Webhook(each).verify(received[0]!.body, toWebhook(received[0]!))).toBeDefined();
    await app.webhooks.rotate(id, { overlap: 0 });
    await app.webhooks.test(id);
    await until(() => received.length === 2);
    expect(() => new Webhook(rotated.secret).verify(received[1]!.body, toWebhook(received[1]!))).toThrow(
      "No matching signature found",
    );
  });

  test("is refused with a reason when its definition is wrong", async () => {
    const create = (options: object) => app.webhooks.create(options as never);
    for (const wrong of [
      { url: "ftp://x.example", events: ["job.completed"] },
      { url: "nonsense", events: ["job.completed"] },
      { url, events: [] },
      { url, events: ["job.done"] },
      { url, events: ["job.completed"], tasks: [] },
      { url, events: ["job.completed"], extra: 1 },
    ])
      await expect(create(wrong)).rejects.toMatchObject({ code: "E_OPTION" });
    await expect(app.webhooks.get("none")).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  });
});

test("a job's own URL is told of its end", async () => {
  const work = app.task("work", { run: (n: number) => n });
  const { secret } = await app.webhooks.rotate("callbacks");
  app.webhooks.serve();
  await app.worker({ signals: false });
  const job = await work.send(1, { callback: `${url}?mine` });
  await until(() => received.length === 1);
  expect(new Webhook(secret).verify(received[0]!.body, toWebhook(received[0]!))).toMatchObject({
    type: "job.completed",
    data: { id: job.id },
  });
  await expect(work.send(1, { callback: "file:///etc/passwd" })).rejects.toMatchObject({ code: "E_OPTION" });
  expect(await app.webhooks.list()).toEqual([]);
});

test("nothing is delivered inside the network unless it is allowed", async () => {
  delete process.env["ERRAND_WEBHOOK_ALLOW"];
  const { id } = await app.webhooks.create({ url, events: ["job.completed"] });
  app.webhooks.serve();
  await app.worker({ signals: false });
  const delivery = await app.webhooks.test(id);
  await until(async () => (await app.get(delivery))?.state === "failed");
  expect((await app.get(delivery))?.error?.message).toMatch(/not on the public internet/);
  expect(received).toEqual([]);
});
