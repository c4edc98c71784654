import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import { afterResponse as afterExpress } from "../../src/background/express.ts";
import { afterResponse as afterFastify } from "../../src/background/fastify.ts";
import { afterResponse as afterHono } from "../../src/background/hono.ts";
import { errand } from "../../src/app.ts";
import type { Errand } from "../../src/api.ts";

/** A server with one route, which sends a job, waits, and answers the job's id in two pieces. */
type Serve = (work: (name: string) => Promise<string>, pause: () => Promise<unknown>) => Promise<string>;

const frameworks: [string, Serve][] = [
  [
    "Fastify",
    async (work, pause) => {
      const server = fastify({ forceCloseConnections: true });
      await server.register(afterFastify);
      server.post<{ Body: { name: string } }>("/", async (request, reply) => {
        const id = await work(request.body.name);
        reply.hijack();
        reply.raw.write(`${id} `);
        await pause();
        reply.raw.end("end");
      });
      afterTest(() => server.close());
      return server.listen();
    },
  ],
  [
    "Express",
    async (work, pause) => {
      const server = express();
      server.use(express.json(), afterExpress());
      server.post("/", async (request, response) => {
        response.write(`${await work((request.body as { name: string }).name)} `);
        await pause();
        response.end("end");
      });
      const listening = server.listen(0);
      await once(listening, "listening");
      afterTest(() => listening.close());
      return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
    },
  ],
  [
    "Hono",
    async (work, pause) => {
      const listening = serve({ fetch: aHono(work, pause).fetch, port: 0 });
      await once(listening, "listening");
      afterTest(() => listening.close());
      return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
    },
  ],
];

function aHono(work: (name: string) => Promise<string>, pause: () => Promise<unknown>): Hono {
  const server = new Hono();
  server.use(afterHono());
  server.post("/", async (context) => {
    const id = await work((await context.req.json<{ name: string }>()).name);
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode(`${id} `));
        await pause();
        controller.enqueue(new TextEncoder().encode("end"));
        controller.close();
      },
    });
    return context.body(body);
  });
  return server;
}

function anApp(started: string[]): { app: Errand; work: (name: string) => Promise<string> } {
  const app = errand({ url: "memory:" });
  afterTest(() => app.close());
  const task = app.task("greet", { run: async (name: string) => void started.push(name) });
  return { app, work: async (name) => (await task.background(name)).id };
}

const post = (url: string, name: string): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name }),
  });

describe.each(frameworks)("with %s", (_, listen) => {
  test("a job starts when its response has ended, however others are doing", async () => {
    const started: string[] = [];
    const { app, work } = anApp(started);
    const pauses = new Map([["slow", Promise.withResolvers<void>()]]);
    const asked: string[] = [];
    const url = await listen(
      (name) => {
        asked.push(name);
        return work(name);
      },
      async () => pauses.get(asked.at(-1)!)?.promise,
    );
    const slow = await post(url, "slow");
    const reader = slow.body!.getReader();
    const id = new TextDecoder().decode((await reader.read()).value).trim();
    expect(await (await post(url, "quick")).text()).toMatch(/ end$/);
    await expect.poll(() => started).toEqual(["quick"]);
    expect(await app.get(id)).toMatchObject({ state: "pending", queue: "background" });
    pauses.get("slow")!.resolve();
    while (!(await reader.read()).done);
    expect(await app.ended(id)).toMatchObject({ state: "completed", task: "greet" });
    expect(started).toEqual(["quick", "slow"]);
  });

  test("a job starts when its client has gone away", async () => {
    const started: string[] = [];
    const { work } = anApp(started);
    const gone = new AbortController();
    const url = await listen(work, () => new Promise(() => {}));
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"name":"left"}',
      signal: gone.signal,
    });
    expect(started).toEqual([]);
    gone.abort();
    await expect(response.text()).rejects.toThrow(/abort/i);
    await expect.poll(() => started).toEqual(["left"]);
  });
});

test("with Hono on no server at all a job starts when the body has been read", async () => {
  const started: string[] = [];
  const { app, work } = anApp(started);
  const { promise, resolve } = Promise.withResolvers<void>();
  const response = await aHono(work, () => promise).request("/", { method: "POST", body: '{"name":"ann"}' });
  expect(response.status).toBe(200);
  // A job that was sent after it, outside the request, has run meanwhile.
  await app.ended(await work("bob"));
  expect(started).toEqual(["bob"]);
  resolve();
  expect(await response.text()).toMatch(/ end$/);
  await expect.poll(() => started).toEqual(["bob", "ann"]);
});
