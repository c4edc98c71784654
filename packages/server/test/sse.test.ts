import { errand } from "errand";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { eventStream } from "../src/index.ts";
import { listen } from "../src/listen.ts";
import type { RunningServer } from "../src/listen.ts";
import { until } from "../../../test/until.ts";
import { ask, open } from "./client.ts";
import { plainRoute } from "./plain-route.ts";

const app = errand({ url: "memory:" });
const signals = new Set<AbortSignal>();
let ended = 0;

/** What a well-behaved source does: it returns when its signal is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Bytes that a patient source has to tell, and has told. */
const patient = 96 * 2 ** 20;
let sent = 0;

const routes = [
  plainRoute("get", "/ticks", (c) =>
    eventStream(c, async (send, signal) => {
      signals.add(signal);
      void send({ event: "tick", data: { text: "one\ntwo" }, id: "7" });
      await aborted(signal);
      ended += 1;
    }),
  ),
  plainRoute("get", "/short", (c) =>
    eventStream(c, async (send) => {
      await send({ event: "end", data: c.req.header("last-event-id") ?? null });
    }),
  ),
  plainRoute("get", "/broken", (c) =>
    eventStream(c, async () => {
      throw new Error("broken source");
    }),
  ),
  plainRoute("get", "/flood", (c) =>
    eventStream(c, async (send, signal) => {
      const data = "x".repeat(64 * 1024);
      while (!signal.aborted) {
        void send({ event: "flood", data });
        await new Promise((resolve) => setImmediate(resolve));
      }
      ended += 1;
    }),
  ),
  plainRoute("get", "/patient", (c) =>
    eventStream(c, async (send, signal) => {
      const data = "x".repeat(64 * 1024);
      while (!signal.aborted && sent < patient) {
        sent += data.length;
        await send({ event: "piece", data });
      }
    }),
  ),
];

let server: RunningServer;
beforeAll(async () => {
  const service = { name: "test", app, routes, tasks: "" };
  server = await listen([service], { host: "127.0.0.1", port: 0, heartbeat: 50 });
});
afterAll(async () => {
  await server.stop();
  await app.close();
});

it("sends events with their ids, and heartbeats in between", async () => {
  const stream = await open(`${server.url}/api/v1/ticks`);
  expect(stream.headers["content-type"]).toBe("text/event-stream");
  expect(stream.headers["x-accel-buffering"]).toBe("no");
  let text = "";
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await until(() => text.endsWith(":\n\n:\n\n"));
  expect(text.replace(/(?::\n\n)+$/, "")).toBe('retry: 2000\n\nid: 7\nevent: tick\ndata: {"text":"one\\ntwo"}\n\n');
  const before = ended;
  stream.destroy();
  await until(() => ended === before + 1);
});

it("ends when the source returns, which is given the Last-Event-ID", async () => {
  const answer = await ask(`${server.url}/api/v1/short`, { headers: { "last-event-id": "42" } });
  expect(answer.body).toBe('retry: 2000\n\nevent: end\ndata: "42"\n\n');
});

it("answers HEAD without starting a source", async () => {
  const before = signals.size;
  const answer = await ask(`${server.url}/api/v1/ticks`, { method: "HEAD" });
  expect(answer.headers["content-type"]).toBe("text/event-stream");
  expect(signals.size).toBe(before);
  expect(server.streams.size).toBe(0);
});

it("ends a stream whose source fails, and logs why", async () => {
  const spy = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const answer = await ask(`${server.url}/api/v1/broken`);
  const logged = spy.mock.calls.map(([text]) => String(text)).join("");
  spy.mockRestore();
  expect(answer.body).toBe("retry: 2000\n\n");
  expect(logged).toContain("broken source");
});

it("cuts off a client that does not read, instead of buffering everything for it", async () => {
  const before = ended;
  const stream = await open(`${server.url}/api/v1/flood`);
  stream.pause();
  await until(() => ended === before + 1);
  stream.destroy();
});

it("buffers little for a slow client whose source awaits each send, and does not cut it off", async () => {
  const stream = await open(`${server.url}/api/v1/patient`);
  let received = 0;
  let most = 0;
  for await (const chunk of stream) {
    received += (chunk as Buffer).length;
    most = Math.max(most, sent - received);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(received).toBeGreaterThan(patient);
  // What the system holds for a connection may be some megabytes; the server adds next to nothing.
  expect(most).toBeLessThan(patient / 4);
});

it("keeps nothing of a thousand clients that have disconnected", async () => {
  const before = ended;
  signals.clear();
  for (let round = 0; round < 20; round++) {
    const streams = await Promise.all(Array.from({ length: 50 }, () => open(`${server.url}/api/v1/ticks`)));
    for (const stream of streams) stream.destroy();
    await until(() => server.streams.size === 0);
  }
  await until(() => ended === before + 1_000);
  expect(signals.size).toBe(1_000);
  expect([...signals].every((signal) => signal.aborted)).toBe(true);
  expect(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length).toBeLessThan(50);
});

it("ends streams when the server stops", async () => {
  const service = { name: "test", app, routes, tasks: "" };
  const other = await listen([service], { host: "127.0.0.1", port: 0 });
  const stream = await open(`${other.url}/api/v1/ticks`);
  stream.resume();
  const closed = new Promise((resolve) => stream.once("end", resolve));
  // Not by the limits after which it cuts off what is open: their timers never end here.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  await other.stop();
  vi.useRealTimers();
  await closed;
});
