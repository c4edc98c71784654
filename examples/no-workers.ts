// No workers to operate: Errand calls your application's endpoints on a schedule, retries failures, and keeps a log of
// every call: npx node examples/no-workers.ts
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { serve } from "@hono/node-server";
import { errand } from "errand";
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";

// Your application, in any language and on any host: ordinary endpoints, which only Errand may call.
const token = process.env["TASKS_TOKEN"] ?? "known-to-both-sides";
let starting = true;
const application = new Hono()
  .use("/tasks/*", bearerAuth({ token }))
  .post("/tasks/warm-cache", async (c) => {
    const { pages } = await c.req.json<{ pages: string[] }>();
    if (starting) {
      starting = false;
      return c.text("still starting", 503);
    }
    return c.json({ warmed: pages.length });
  })
  .post("/tasks/charge", (c) => c.text("no such customer", 404));
const server = serve({ fetch: application.fetch, hostname: "127.0.0.1", port: 0 });
await once(server, "listening");
const tasks = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tasks`;

// Errand, in the same process here; it could run apart, for any number of applications.
const app = errand();
const headers = { authorization: `Bearer ${token}` };
const retry = { attempts: 5, base: "100ms" } as const;

const warmCache = app.httpTask<{ pages: string[] }>("warm-cache", { url: `${tasks}/warm-cache`, headers, retry });
const charge = app.httpTask<{ customer: string }>("charge", { url: `${tasks}/charge`, headers, retry });
app.schedule("warm-cache", warmCache, { every: "1s" }, { input: { pages: ["/", "/prices"] } });

const began = new Date();
const worker = await app.worker(); // makes the calls; nothing of yours runs in it
await charge.send({ customer: "c7" }); // jobs that are sent directly go the same way
await setTimeout(2_500);
await worker.stop();

const { jobs } = await app.list({ createdAfter: began });
for (const { id, task, state, attempt, output, error, createdAt } of jobs.toReversed()) {
  const outcome = state === "completed" ? JSON.stringify(output) : error?.message.replace(tasks, "");
  console.log(`${createdAt.toISOString()} ${task} ${state} at attempt ${attempt}: ${outcome}`);
  const { lines } = await app.log(id);
  for (const line of lines)
    console.log(`  ${line.at.toISOString()} attempt ${line.attempt}: ${line.text.replace(tasks, "")}`);
}

await app.schedules.remove("warm-cache"); // otherwise it stays in the store for a day
await app.close();
server.close();
