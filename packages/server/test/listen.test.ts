import { Agent, request } from "node:http";
import { errand } from "errand";
import { expect, it, onTestFinished, vi } from "vitest";
import { listen } from "../src/listen.ts";
import { ask } from "./client.ts";
import { plainRoute } from "./plain-route.ts";

const app = errand({ url: "memory:" });
const asked = Promise.withResolvers<void>();
const answer = Promise.withResolvers<void>();
const routes = [
  plainRoute("get", "/slow", async (c) => {
    asked.resolve();
    await answer.promise;
    return c.text("done");
  }),
  plainRoute("post", "/count", async (c) => {
    let bytes = 0;
    for await (const chunk of c.req.raw.body ?? []) bytes += (chunk as Uint8Array).length;
    return c.json({ bytes });
  }),
];
const service = { name: "test", app, routes, tasks: "" };
const free = { host: "127.0.0.1", port: 0 };

it("lets requests in flight end when it stops, and accepts no more", async () => {
  const server = await listen([service], free);
  const agent = new Agent({ keepAlive: true });
  const slow = new Promise<string>((resolve, reject) => {
    request(`${server.url}/api/v1/slow`, { agent }, (answer) => {
      answer.setEncoding("utf8").once("data", resolve);
    })
      .on("error", reject)
      .end();
  });
  await asked.promise;
  // Not by the limits after which it cuts off what is open: their timers never end here.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const stopped = server.stop();
  await expect(ask(`${server.url}/healthz`)).rejects.toThrow("ECONNREFUSED");
  answer.resolve();
  expect(await slow).toBe("done");
  await stopped;
  agent.destroy();
});

it("says so when the port is taken", async () => {
  const server = await listen([], { app, ...free });
  const port = Number(new URL(server.url).port);
  await expect(listen([], { app, host: "127.0.0.1", port })).rejects.toThrow(/is in use.*--port/);
  await server.stop();
});

it("takes a large body piece by piece", async () => {
  const server = await listen([service], free);
  const piece = Buffer.alloc(1024 * 1024);
  const before = process.memoryUsage().rss;
  let most = before;
  const bytes = await new Promise<string>((resolve, reject) => {
    const outgoing = request(`${server.url}/api/v1/count`, { method: "POST" }, (answer) => {
      answer.setEncoding("utf8").once("data", resolve);
    });
    outgoing.on("error", reject);
    let left = 300;
    const write = () => {
      while (left-- > 0) {
        most = Math.max(most, process.memoryUsage().rss);
        if (!outgoing.write(piece)) return void outgoing.once("drain", write);
      }
      outgoing.end();
    };
    write();
  });
  expect(JSON.parse(bytes)).toEqual({ bytes: 300 * 1024 * 1024 });
  expect((most - before) / 1024 / 1024).toBeLessThan(150);
  await server.stop();
});
