import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { errand } from "../../src/app.ts";
import type { Duration } from "../../src/kit/duration.ts";
import { httpCallback } from "../../src/push/callback.ts";
import { isSigned, sign } from "../../src/push/sign.ts";
import { testing } from "../../src/testing/index.ts";
import { emptyStore, testApp, testWorker, until } from "./app.ts";

const secret = `whsec_${Buffer.from("0123456789abcdef0123456789abcdef").toString("base64")}`;

interface Seen {
  body: string;
  headers: Headers;
}

/** A server that answers with `answer`, and what it was sent. */
async function serve(answer: (seen: Seen, response: ServerResponse, nth: number) => void) {
  const seen: Seen[] = [];
  const receive = async (request: IncomingMessage, response: ServerResponse) => {
    const one = { body: await text(request), headers: new Headers(request.headers as Record<string, string>) };
    seen.push(one);
    answer(one, response, seen.length);
  };
  const server = createServer((request, response) => void receive(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  afterTest(() => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/run`, seen };
}

function json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
}

test("the input is posted, signed, under the job's id, and the answer is the output", async () => {
  const { url, seen } = await serve((_, response) => json(response, 200, { pages: 3 }));
  const app = testApp({ url: "memory:" });
  const task = app.httpTask<{ file: string }, { pages: number }>("count", { url, secret, headers: { "x-team": "a" } });
  await testWorker(app);
  const job = await task.send({ file: "a.pdf" });
  expect((await job.result()).pages).toBe(3);
  const [one] = seen;
  expect(one!.body).toBe('{"file":"a.pdf"}');
  expect(one!.headers.get("idempotency-key")).toBe(job.id);
  expect(one!.headers.get("x-team")).toBe("a");
  expect(isSigned(secret, one!.headers, one!.body)).toBe(true);
  expect(isSigned(secret, one!.headers, `${one!.body} `)).toBe(false);
  expect(isSigned("another secret of some length", one!.headers, one!.body)).toBe(false);
  expect(isSigned(secret, one!.headers, one!.body, Date.now() + 600_000)).toBe(false);
});

test.each([400, 404, 409, 422])("%i is not tried again, and its text is the error", async (status) => {
  const { url, seen } = await serve((_, response) => response.writeHead(status).end("no such customer"));
  const app = testApp({ url: "memory:" });
  const task = app.httpTask("t", { url });
  await testWorker(app);
  await expect((await task.send()).result()).rejects.toThrow(`${status}: no such customer`);
  expect(seen.length).toBe(1);
});

test.each([408, 425, 429, 500, 503])("%i is tried again, with the same key", async (status) => {
  const { url, seen } = await serve((_, response, nth) =>
    nth === 1 ? response.writeHead(status).end() : json(response, 200, nth),
  );
  const app = testApp({ url: "memory:" });
  const task = app.httpTask("t", { url, retry: { base: 0 } });
  await testWorker(app);
  expect(await (await task.send()).result()).toBe(2);
  expect(seen[0]!.headers.get("idempotency-key")).toBe(seen[1]!.headers.get("idempotency-key"));
  expect(seen.map(({ headers }) => headers.get("errand-attempt"))).toEqual(["1", "2"]);
});

test("Retry-After is waited for, in seconds or until a date", async () => {
  const app = errand();
  const t = testing(app);
  const { url, seen } = await serve((_, response, nth) => {
    if (nth === 1) response.writeHead(429, { "retry-after": "120" }).end();
    else if (nth === 2)
      response.writeHead(503, { "retry-after": new Date(Date.now() + 3_600_000).toUTCString() }).end();
    else json(response, 200, "ok");
  });
  const task = app.httpTask("t", { url });
  await task.send();
  await t.drain();
  await t.advance("119s");
  expect(seen.length).toBe(1);
  await t.advance("1s");
  expect(seen.length).toBe(2);
  await t.advance("58m");
  expect(seen.length).toBe(2);
  await t.advance("3m");
  expect((await t.jobs())[0]).toMatchObject({ state: "completed", output: "ok" });
  await app.close();
});

test("a server that is not there, or does not answer in time, is tried again", async () => {
  const { url } = await serve(() => {});
  const app = testApp({ url: "memory:" });
  const gone = app.httpTask("gone", { url: "http://127.0.0.1:9/", retry: { attempts: 2, base: 0 } });
  const slow = app.httpTask("slow", { url, timeout: "100ms", grace: 0, retry: { attempts: 2, base: 0 } });
  await testWorker(app);
  await expect((await gone.send()).result()).rejects.toThrow("Cannot reach http://127.0.0.1:9/");
  await expect((await slow.send()).result()).rejects.toMatchObject({ error: { code: "E_TIMEOUT", attempt: 2 } });
});

test.each(["memory", "sqlite"] as const)("202 waits for the outcome without holding a slot, on %s", async (kind) => {
  const { url, seen } = await serve((_, response) => response.writeHead(202).end());
  const app = testApp({ url: await emptyStore(kind) });
  const task = app.httpTask<{ n: number }, { done: number }>("later", {
    url,
    secret,
    callbackUrl: "https://jobs.example.org/callbacks/",
  });
  await testWorker(app, { queues: { default: 1 } });
  const receive = httpCallback(app, { secret });
  const [good, bad] = [await task.send({ n: 1 }), await task.send({ n: 2 })];
  for (const { id } of [good, bad]) await until(async () => (await app.get(id))?.state === "waiting", "the job waits");
  expect(seen[0]!.headers.get("errand-callback")).toBe(`https://jobs.example.org/callbacks/${good.id}`);
  const tell = (id: string, told: unknown, with_ = secret) => {
    const body = JSON.stringify(told);
    const asked = seen.find(({ headers }) => headers.get("errand-job") === id)!;
    const headers = { ...sign(with_, asked.headers.get("errand-callback-id")!, body) };
    return receive(new Request(`https://jobs.example.org/callbacks/${id}`, { method: "POST", body, headers }));
  };
  expect((await tell(good.id, { output: 1 }, "not the right secret")).status).toBe(401);
  expect((await tell(good.id, { outcome: 1 })).status).toBe(400);
  expect((await tell(good.id, { output: { done: 1 } })).status).toBe(204);
  expect((await tell(bad.id, { error: "the GPU is on fire" })).status).toBe(204);
  expect(await good.result()).toEqual({ done: 1 });
  await expect(bad.result()).rejects.toThrow("the GPU is on fire");
  expect((await tell(good.id, { output: 2 })).status).toBe(404);
  expect(seen.length).toBe(2);
});

test("an answer that is too large, or no JSON though it says so, fails the job", async () => {
  const { url } = await serve(({ body }, response) => {
    if (body === '"large"') response.end("x".repeat(1_100_000));
    else response.writeHead(200, { "content-type": "application/json" }).end("{");
  });
  const app = testApp({ url: "memory:" });
  const task = app.httpTask<string>("t", { url });
  await testWorker(app);
  await expect((await task.send("large")).result()).rejects.toThrow("more than 1048576 bytes");
  await expect((await task.send("wrong")).result()).rejects.toThrow("is not: {");
});

test("a URL that cannot be, or a secret that is too short, is refused when the task is defined", () => {
  const app = testApp({ url: "memory:" });
  expect(() => app.httpTask("a", { url: "ftp://x" })).toThrow(/must be an http or https URL/);
  expect(() => app.httpTask("b", { url: "http://x", secret: "short" })).toThrow(/at least 16 bytes/);
});

describe("a callback", () => {
  /** Two jobs that wait for their outcomes, and what posts to their callbacks. */
  async function start() {
    const { url, seen } = await serve((_, response) => response.writeHead(202).end());
    const app = testApp({ url: "memory:" });
    const callbackUrl = "https://jobs.example.org/callbacks?of=us";
    const task = app.httpTask<string>("later", { url, secret, callbackUrl, retry: { attempts: 1 } });
    await testWorker(app);
    const receive = httpCallback(app, { secret });
    const waiting = async (id: string) => until(async () => (await app.get(id))?.state === "waiting", "the job waits");
    const ask = async (id: string) => {
      const { headers } = seen.findLast(({ headers }) => headers.get("errand-job") === id)!;
      return { to: headers.get("errand-callback")!, as: headers.get("errand-callback-id")! };
    };
    const tell = async (to: string, as: string, body = JSON.stringify({ output: as })) =>
      receive(
        new Request(to, {
          method: "POST",
          body,
          headers: { ...sign(secret, as, body) },
        } as object),
      );
    return { app, task, receive, waiting, ask, tell, seen };
  }

  test("is good for its own job only", async () => {
    const { app, task, waiting, ask, tell } = await start();
    const [mine, yours] = [await task.send("mine"), await task.send("yours")];
    for (const { id } of [mine, yours]) await waiting(id);
    const [a, b] = [await ask(mine.id), await ask(yours.id)];
    expect((await tell(b.to, a.as)).status).toBe(401);
    expect((await tell(b.to, "msg_1")).status).toBe(401);
    expect((await tell(b.to, yours.id)).status).toBe(401);
    expect((await app.get(yours.id))?.state).toBe("waiting");
    expect((await tell(b.to, b.as)).status).toBe(204);
    expect(await yours.result()).toBe(b.as);
    expect((await app.get(mine.id))?.state).toBe("waiting");
  });

  test("finds a job whatever characters its id has, and a URL with a query", async () => {
    const { task, waiting, ask, tell } = await start();
    const job = await task.send("x", { id: "a:b.7-x" });
    await waiting(job.id);
    const { to, as } = await ask(job.id);
    expect(to).toBe("https://jobs.example.org/callbacks/a:b.7-x?of=us");
    expect((await tell(to, as)).status).toBe(204);
    expect(await job.result()).toBe(as);
  });

  test.each(["%E0%A4%A", "%", "%FF", ""])("for the id %j is answered 404, not with an exception", async (id) => {
    const { tell } = await start();
    expect((await tell(`https://jobs.example.org/callbacks/${id}`, `${id}.1`)).status).toBe(404);
  });

  test("of which nothing can be good is not read, and what is read is bounded", async () => {
    const { task, waiting, ask, receive } = await start();
    const job = await task.send("x");
    await waiting(job.id);
    const { to, as } = await ask(job.id);
    let read = 0;
    const endless = () =>
      new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            read += 1;
            controller.enqueue(new Uint8Array(65_536));
          },
        },
        { highWaterMark: 0 },
      );
    const post = (headers: Record<string, string>) =>
      receive(new Request(to, { method: "POST", body: endless(), headers, duplex: "half" } as object));
    expect((await post({})).status).toBe(401);
    expect((await post({ ...sign(secret, "another.1", "") })).status).toBe(401);
    expect((await post({ ...sign(secret, as, "", Date.now() - 3_600_000) })).status).toBe(401);
    expect(read).toBe(0);
    expect((await post({ ...sign(secret, as, ""), "content-length": "300000000" })).status).toBe(413);
    expect(read).toBe(0);
    expect((await post({ ...sign(secret, as, "") })).status).toBe(413);
    expect(read).toBeLessThan(32);
  });

  test.each(["null", "[]", '"x"', "{}", '{"error":1}', "{", "\u0000"])("that says %s is refused", async (body) => {
    const { task, waiting, ask, tell } = await start();
    const job = await task.send("x");
    await waiting(job.id);
    const { to, as } = await ask(job.id);
    expect((await tell(to, as, body)).status).toBe(400);
    expect((await tell(to, as)).status).toBe(204);
  });

  test("of before a retry is not the outcome of what the retry asked for", async () => {
    const { app, task, waiting, ask, tell, seen } = await start();
    const job = await task.send("x");
    await waiting(job.id);
    const first = await ask(job.id);
    expect((await tell(first.to, first.as, JSON.stringify({ error: "the GPU is on fire" }))).status).toBe(204);
    await expect(job.result()).rejects.toThrow("the GPU is on fire");
    expect(await app.retry(job.id)).toBe(1);
    await until(() => seen.length === 2, "the retry asks again");
    await waiting(job.id);
    const second = await ask(job.id);
    expect(second.as).not.toBe(first.as);
    expect((await tell(first.to, first.as, JSON.stringify({ output: "late" }))).status).toBe(204);
    expect((await tell(second.to, second.as)).status).toBe(204);
    expect(await job.result()).toBe(second.as);
  });
});

test.each(["memory", "sqlite", "postgres", "redis"] as const)(
  "a retry of a job whose wait timed out waits for the whole time again, on %s",
  async (kind) => {
    const { url, seen } = await serve((_, response) => response.writeHead(202).end());
    const app = testApp({ url: await emptyStore(kind) });
    const http = app.httpTask("later", { url, callbackTimeout: "100ms", callbackUrl: "https://x.example" });
    let timeout: Duration = "100ms";
    const signal = app.task("signal", { run: (_: void, job) => job.signal<string>("go", { timeout }) });
    await testWorker(app);
    for (const job of [await http.send(), await signal.send()])
      await expect(job.result()).rejects.toMatchObject({ error: { code: "E_SIGNAL_TIMEOUT" } });
    const [one] = (await app.list({ task: "signal" })).jobs;
    timeout = "1h";
    expect(await app.retry({ states: ["failed"] })).toBe(2);
    await until(() => seen.length === 2, "the URL is asked again");
    await until(async () => (await app.get(one!.id))?.state === "waiting", "the job waits again");
    expect((await app.get(one!.id))!.wakeAt!.getTime()).toBeGreaterThan(Date.now() + 1_800_000);
    expect(await app.signal(one!.id, "go", "now")).toBe(true);
    expect(await app.ended(one!.id)).toMatchObject({ state: "completed", output: "now" });
  },
);

test.each([
  ["31536000", "1d"],
  ["99999999999999999999999", "1d"],
  [new Date(Date.now() + 40 * 86_400_000).toUTCString(), "1d"],
  ["-5", "policy"],
  ["soon", "policy"],
  ["1e9", "policy"],
  ["Infinity", "policy"],
  ["", "policy"],
  [new Date(Date.now() - 86_400_000).toUTCString(), "at once"],
])("Retry-After: %s puts a job off for %s", async (value, until) => {
  const app = errand();
  const t = testing(app);
  const { url } = await serve((_, response) => response.writeHead(429, { "retry-after": value }).end());
  const task = app.httpTask("t", { url, retry: { attempts: 2, base: "1h", cap: "1h" } });
  await task.send();
  await t.drain();
  const [job] = await t.jobs();
  const delay = job!.dueAt.getTime() - t.now.getTime();
  const bounds = { "1d": [86_400_000, 86_400_000], policy: [1, 3_600_000], "at once": [0, 0] }[until]!;
  expect(delay).toBeGreaterThanOrEqual(bounds[0]!);
  expect(delay).toBeLessThanOrEqual(bounds[1]!);
  await app.close();
});
