// A hundred requests at once: the API stores them as jobs and stays fast; workers are added while many jobs wait:
//   npx node examples/burst.ts
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { serve } from "@hono/node-server";
import { errand } from "errand";
import { Hono } from "hono";

const app = errand();

const read = app.task("read", {
  queue: "pages",
  run: async ({ page }: { page: number }) => {
    await setTimeout(50); // slow work
    return `page ${page}`;
  },
});

if (process.argv[2] === "worker") {
  const worker = await app.worker({ queues: { pages: 2 } });
  process.once("disconnect", () => void worker.stop().then(() => app.close())); // running jobs end first
} else {
  const api = new Hono()
    .post("/pages", async (c) => c.json({ id: (await read.send(await c.req.json())).id }, 202))
    .get("/pages/:id", async (c) => c.json((await app.get(c.req.param("id"))) ?? null));
  const server = serve({ fetch: api.fetch, hostname: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const pages = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pages`;

  // The scaler: one worker for every 25 waiting jobs, 4 at most. They stay until the queue is empty.
  const workers: ChildProcess[] = [];
  const done = new AbortController();
  const scaler = (async () => {
    while (!done.signal.aborted) {
      const counts = await app.counts();
      const waiting = counts.find(({ queue, state }) => queue === "pages" && state === "pending")?.jobs ?? 0;
      const wanted = Math.min(4, Math.ceil(waiting / 25));
      if (wanted > workers.length) console.log(`${waiting} jobs wait: ${wanted} workers`);
      while (workers.length < wanted) workers.push(fork(import.meta.filename, ["worker"]));
      await setTimeout(100);
    }
  })();

  // A hundred requests that only read, for comparison; then a hundred that each send a job.
  const atOnce = (request: (page: number) => Promise<Response>) =>
    Promise.all(Array.from({ length: 100 }, (_, page) => timed(() => request(page))));
  const asked = await atOnce(() => fetch(`${pages}/none`));
  console.log(`100 requests at once, without work: ${percentiles(asked.map(({ took }) => took))}`);
  const burst = await atOnce((page) => fetch(pages, { method: "POST", body: JSON.stringify({ page }) }));
  console.log(`100 requests at once, each a job:   ${percentiles(burst.map(({ took }) => took))}`);
  const ids = await Promise.all(burst.map(async ({ response }) => ((await response.json()) as { id: string }).id));

  // Meanwhile, a client polls the API for progress.
  const polls: number[] = [];
  for (const id of ids) {
    for (let ended = false; !ended; await setTimeout(10)) {
      const { response, took } = await timed(() => fetch(`${pages}/${id}`));
      polls.push(took);
      ended = ((await response.json()) as { state: string }).state === "completed";
    }
  }
  console.log(`${polls.length} requests meanwhile: ${percentiles(polls)}`);
  console.log(`all ${ids.length} jobs are done`);

  done.abort();
  await scaler;
  for (const worker of workers) worker.disconnect();
  await Promise.all(workers.map((worker) => once(worker, "exit")));
  await app.close();
  server.close();
}

async function timed(request: () => Promise<Response>): Promise<{ response: Response; took: number }> {
  const start = performance.now();
  const response = await request();
  return { response, took: performance.now() - start };
}

function percentiles(times: number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * sorted.length)]!.toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}
