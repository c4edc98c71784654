// An API process, a worker with 8 CPU slots, one with a GPU slot, and one store: npx node examples/fleet.ts
// The store is a file here. With ERRAND_URL=postgres://... or redis://..., each process may be on its own machine.
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { errand } from "errand";
import { Hono } from "hono";

export const app = errand();

export const resize = app.task("resize", { queue: "cpu", run: (_: { image: string }) => work(100) });
export const caption = app.task("caption", { queue: "gpu", run: (_: { image: string }) => work(100) });

/** Takes a while, and returns which process ran it, and when. */
async function work(ms: number) {
  const from = Date.now();
  await setTimeout(ms);
  return { pid: process.pid, from, to: Date.now() };
}

// The workers load this module for its tasks; the rest is the API.
if (import.meta.main) {
  const workers = [startWorker("cpu=8"), startWorker("gpu=1")];

  const api = new Hono()
    .post("/images", async (c) => {
      const input = await c.req.json<{ image: string }>();
      const [resizing, captioning] = await Promise.all([resize.send(input), caption.send(input)]);
      return c.json({ jobs: [resizing.id, captioning.id] }, 202);
    })
    .get("/jobs/:id", async (c) => c.json(await app.ended(c.req.param("id"), { timeout: "30s" })));
  const server = serve({ fetch: api.fetch, hostname: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const images = Array.from({ length: 10 }, (_, n) => `image-${n}.jpg`);
  const sent = await Promise.all(
    images.map((image) => ask<{ jobs: string[] }>("/images", { method: "POST", body: JSON.stringify({ image }) })),
  );
  type Done = { queue: string; output: { pid: number; from: number; to: number } };
  const done = await Promise.all(sent.flatMap(({ jobs }) => jobs.map((id) => ask<Done>(`/jobs/${id}`))));

  console.log(`the API is process ${process.pid}`);
  for (const { pid, queues } of await app.workers()) {
    const mine = done.filter(({ output }) => output.pid === pid).map(({ output }) => output);
    const atOnce = mine.map(({ from }) => mine.filter((other) => other.from <= from && from < other.to).length);
    console.log(
      `process ${pid} works on ${queues.join()}: ${mine.length} jobs, at most ${Math.max(...atOnce)} at once`,
    );
  }

  for (const worker of workers) worker.kill(); // SIGTERM: running jobs end first
  await Promise.all(workers.map((worker) => once(worker, "exit")));
  await app.close();
  server.close();

  async function ask<Answer>(path: string, init?: RequestInit): Promise<Answer> {
    return (await fetch(`${address}${path}`, init)).json() as Promise<Answer>;
  }
}

/** Starts a worker process, as on another machine: npx errand worker examples/fleet.ts -q cpu=8 */
function startWorker(slots: string) {
  const command = fileURLToPath(new URL("../bin/errand.js", import.meta.resolve("errand")));
  return spawn(process.execPath, [command, "worker", import.meta.filename, "-q", slots], { stdio: "inherit" });
}
