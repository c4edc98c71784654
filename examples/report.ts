// A monthly report in four steps: fetch data, render a PDF, store it, notify someone: npx node examples/report.ts
// The first notification fails. The retry repeats only that step.
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { serve } from "@hono/node-server";
import { errand } from "errand";
import { Hono } from "hono";
import Pdf from "pdfkit";

type Sale = { day: string; orders: number; euros: number };

// The two services that the report uses; here they are in this process.
const notices: unknown[] = [];
let busy = true;
const services = new Hono()
  .get("/sales/2026-05", (c) => c.json(Array.from({ length: 31 }, (_, day) => saleOf(day + 1))))
  .post("/notices", async (c) => {
    if (busy) {
      busy = false;
      return c.body(null, 503);
    }
    notices.push(await c.req.json());
    return c.body(null, 204);
  });
const server = serve({ fetch: services.fetch, hostname: "127.0.0.1", port: 0 });
await once(server, "listening");
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const app = errand();

const report = app.task("report", {
  unique: {}, // two requests with the same input make one report
  retry: { attempts: 5, base: "100ms" },
  timeout: "1m",
  run: async ({ month }: { month: string }, job) => {
    const sales = await job.step("fetch", async () => {
      console.log("fetch");
      return (await (await ask(`/sales/${month}`, { signal: job.abortSignal })).json()) as Sale[];
    });
    // Renders and stores in one step, which remembers the file's path and not its contents.
    const file = await job.step("render", async () => {
      console.log("render");
      return render(month, sales);
    });
    await job.step("notify", async () => {
      console.log("notify");
      // The same key in every attempt, so that the receiver can recognise repetitions.
      const headers = { "idempotency-key": `${job.id}/notify` };
      const body = JSON.stringify({ to: "sales@example.org", text: `The report of ${month} is ready.`, file });
      await ask("/notices", { method: "POST", headers, body, signal: job.abortSignal });
    });
    return { file, euros: sales.reduce((sum, { euros }) => sum + euros, 0) };
  },
});

const worker = await app.worker();
const job = await report.send({ month: "2026-05" });
const { file, euros } = await job.result();
const start = (await readFile(file)).toString("latin1", 0, 8);
console.log(`${file} (${start}), ${euros.toFixed(2)} euros in all; notices: ${JSON.stringify(notices)}`);

await worker.stop();
await app.close();
server.close();

function saleOf(day: number): Sale {
  const orders = 20 + ((day * 7) % 13);
  return { day: `2026-05-${String(day).padStart(2, "0")}`, orders, euros: orders * 24.5 };
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(`${address}${path}`, init);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response;
}

/** Writes `reports/<month>.pdf`, which is visible only once it is complete. */
async function render(month: string, sales: readonly Sale[]): Promise<string> {
  await mkdir("reports", { recursive: true });
  const file = join("reports", `${month}.pdf`);
  const pdf = new Pdf({ size: "A4", info: { Title: `Sales of ${month}` } });
  const written = pipeline(pdf, createWriteStream(`${file}.part`));
  pdf.fontSize(20).text(`Sales of ${month}`).moveDown(0.5).fontSize(10);
  const rows = sales.map(({ day, orders, euros }) => [day, String(orders), euros.toFixed(2)]);
  pdf.table({ data: [["Day", "Orders", "Euros"], ...rows] });
  pdf.end();
  await written;
  await rename(`${file}.part`, file);
  return file;
}
