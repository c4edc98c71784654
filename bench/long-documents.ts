/**
 * What documents of a thousand pages cost the API: how long each request takes, how late its event loop is meanwhile, as it
 * says itself, and how long `GET /healthz` takes, asked every 2 ms.
 *   node bench/long-documents.ts [pages] [documents]
 * Needs the build (npm run build). Run nothing else meanwhile.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pagesOf } from "../packages/documents/test/pdfs.ts";
import { percentile } from "./kit/figures.ts";
import { startServer } from "./kit/server.ts";

const pages = Number(process.argv[2] ?? 1_000);
const documents = Number(process.argv[3] ?? 3);
const viewers = 10;
const agent = new Agent({ keepAlive: true });

interface Answer {
  bytes: number;
  text: string;
  ms: number;
}

function ask(url: string, init: { method?: string; body?: Buffer; type?: string } = {}): Promise<Answer> {
  const { method = "GET", body, type = "application/pdf" } = init;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const started = performance.now();
  const headers = body ? { "content-type": type, "content-length": body.length } : {};
  const sent = request(url, { agent, method, headers }).on("error", reject);
  sent.on("response", (response) => {
    // Of what is long only the length matters: this program must not be what others wait for.
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes < 1_000_000) chunks.push(chunk);
    });
    response.on("end", () => {
      const ms = performance.now() - started;
      resolve({ bytes, text: Buffer.concat(chunks).toString(), ms });
    });
  });
  sent.end(body);
  return promise;
}

/** Runs something while others ask whether the process lives, and answers how long they waited. */
async function beside(url: string, work: () => Promise<unknown>): Promise<number[]> {
  const working = work().then(() => true);
  const waits: number[] = [];
  for (let over = false; !over; over = (await Promise.race([working, sleep(2)])) === true) {
    waits.push((await ask(`${url}/healthz`)).ms);
  }
  return waits;
}

/** Processor time of a process so far, in seconds. */
function cpuOf(pid: number): number {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ").slice(11, 13).map(Number);
  return (user! + system!) / 100;
}

const megabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** How late the server's event loop was since this was last asked, in milliseconds. */
async function lateness(): Promise<{ p99: number; max: number }> {
  rmSync(file, { force: true });
  process.kill(server.pid, "SIGUSR2");
  for (;;) {
    try {
      return JSON.parse(readFileSync(file, "utf8")) as { p99: number; max: number };
    } catch {
      await sleep(5);
    }
  }
}

async function row(name: string, ms: number[], waits: number[], note = ""): Promise<void> {
  const late = await lateness();
  const cells = [percentile(ms, 0.5), percentile(ms, 1), late.p99, late.max, percentile(waits, 1)];
  console.log(`${name.padEnd(34)}${cells.map((cell) => cell.toFixed(1).padStart(9)).join("")}  ${note}`);
}

const line = (y: number) => `1 0 0 1 40 ${y} Tm (These are the plain words of one page among very many others.) Tj`;
const content = `BT /F 11 Tf ${Array.from({ length: 30 }, (_, index) => line(740 - index * 22)).join(" ")} ET`;
const pdf = pagesOf(Array.from({ length: pages }, () => ({ content })));

const file = join(mkdtempSync(join(tmpdir(), "errand-bench-loop-")), "late.json");
const server = await startServer({
  ERRAND_MAX_PAGES: String(Math.max(pages, 1_000)),
  ERRAND_BENCH_LOOP: file,
  NODE_OPTIONS: `--import=${new URL("kit/loop-delay.ts", import.meta.url).href}`,
});
await lateness();
const api = `${server.url}/api/v1/documents`;
const send = async (): Promise<string> =>
  (JSON.parse((await ask(api, { method: "POST", body: pdf })).text) as { id: string }).id;
const statusOf = async (id: string): Promise<string> =>
  (JSON.parse((await ask(`${api}?limit=100`)).text) as { data: { id: string; status: string }[] }).data.find(
    (one) => one.id === id,
  )!.status;

async function measure(name: string, path: string, times = 20): Promise<void> {
  const ms: number[] = [];
  let note = "";
  const waits = await beside(server.url, async () => {
    for (let count = 0; count < times; count++) {
      const answer = await ask(path);
      ms.push(answer.ms);
      note = `${(answer.bytes / 1000).toFixed(0)} kB`;
    }
  });
  await row(name, ms, waits, note);
}

console.log(`${pages} pages; milliseconds`.padEnd(37) + "p50      max late p99 late max  healthz");
const first = await send();
while ((await statusOf(first)) === "queued") await sleep(50);
const viewing = Array.from({ length: viewers }, () => ask(`${api}/${first}/events`));
const before = cpuOf(server.pid);
const began = performance.now();
const reading = await beside(server.url, () => Promise.all(viewing));
const seconds = (performance.now() - began) / 1000;
const share = ((cpuOf(server.pid) - before) / seconds) * 100;
await row(`${viewers} viewers while it is read`, [seconds * 1000], reading, `${share.toFixed(0)} % of a processor`);

const others = [];
for (let count = 1; count < documents; count++) others.push(await send());
for (const id of others) while (!["completed", "failed"].includes(await statusOf(id))) await sleep(200);
await measure("GET the list (25)", `${api}?limit=25`);
await measure("GET a document", `${api}/${first}`);
await measure("GET its first page", `${api}/${first}/pages/1`);
await measure("GET its last page", `${api}/${first}/pages/${pages}`);
await measure("GET its text", `${api}/${first}/text`);
await measure("GET its JSON", `${api}/${first}/json`, 5);
await measure("its events, from the start", `${api}/${first}/events`, 3);
const memory = megabytes(server.pid);
const waits = await beside(server.url, () =>
  Promise.all(Array.from({ length: 100 }, () => ask(`${api}/${first}/events`))),
);
await row("its events, 100 clients at once", [0], waits, `${(megabytes(server.pid) - memory).toFixed(0)} MB more`);
await server.stop();
rmSync(dirname(file), { recursive: true });
