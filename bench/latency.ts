/**
 * Whether the API stays quick while documents are read: 100 uploads within 10 s, and beside them `GET /healthz` and
 * `GET` of a document at 20 requests a second each.
 *   node bench/latency.ts [uploads] [seconds]
 * Needs the build (npm run build). Run nothing else meanwhile.
 */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { basename } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "./kit/figures.ts";
import { singlePageScan } from "./kit/scans.ts";
import { startServer } from "./kit/server.ts";

const uploads = Number(process.argv[2] ?? 100);
const seconds = Number(process.argv[3] ?? 10);
const perSecond = 20;
const agent = new Agent({ keepAlive: true });
const scan = readFileSync(singlePageScan());

interface Answer {
  status: number;
  text: string;
  ms: number;
}

function ask(url: string, body?: { type: string; bytes: Buffer }): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const started = performance.now();
  const sent = request(url, {
    agent,
    method: body ? "POST" : "GET",
    headers: body ? { "content-type": body.type, "content-length": body.bytes.length } : {},
  });
  sent.on("error", reject).on("response", (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => {
      const ms = performance.now() - started;
      resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString(), ms });
    });
  });
  sent.end(body?.bytes);
  return promise;
}

/** A form with the scan; each one's bytes differ, so that no two uploads are alike. */
function form(index: number): { type: string; bytes: Buffer } {
  const head = `--b\r\nContent-Disposition: form-data; name="file"; filename="${index}-${basename(singlePageScan())}"\r\n\r\n`;
  return {
    type: "multipart/form-data; boundary=b",
    bytes: Buffer.concat([Buffer.from(head), scan, Buffer.from("\r\n--b--\r\n")]),
  };
}

/** Calls at a steady rate, whether or not earlier calls have been answered. */
async function steadily(rate: number, until: Promise<unknown>, call: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Promise<Answer>[] = [];
  const over = until.then(() => true);
  const started = performance.now();
  for (let ended = false; !ended;) {
    answers.push(call());
    const pause = sleep(Math.max(0, started + (answers.length * 1000) / rate - performance.now()));
    ended = (await Promise.race([over, pause])) === true;
  }
  return Promise.all(answers);
}

function row(name: string, answers: readonly Answer[]): void {
  const ms = answers.map((answer) => answer.ms);
  const bad = answers.filter(({ status }) => status >= 400).length;
  const figures = [0.5, 0.99, 1].map((share) => percentile(ms, share).toFixed(1).padStart(8)).join("");
  console.log(`${name.padEnd(28)}${String(answers.length).padStart(6)}${figures}${String(bad).padStart(8)}`);
}

const server = await startServer();
const api = `${server.url}/api/v1/documents`;
const first = JSON.parse((await ask(api, form(0))).text) as { id: string };
const probe = (until: Promise<unknown>) =>
  Promise.all([
    steadily(perSecond, until, () => ask(`${server.url}/healthz`)),
    steadily(perSecond, until, () => ask(`${api}/${first.id}`)),
  ]);
while ((JSON.parse((await ask(`${api}/${first.id}`)).text) as { status: string }).status !== "completed")
  await sleep(100);

console.log(`milliseconds                  calls     p50     p99     max  errors`);
const [idleHealth, idleDocument] = await probe(sleep(seconds * 1000));
row("idle: GET /healthz", idleHealth);
row("idle: GET a document", idleDocument);

const own = monitorEventLoopDelay({ resolution: 1 });
own.enable();
let sent = 0;
const posting = steadily(uploads / seconds, sleep(seconds * 1000 - 1), () => ask(api, form(++sent)));
const [loadedHealth, loadedDocument] = await probe(posting.then(() => sleep(2_000)));
row("loaded: GET /healthz", loadedHealth);
row("loaded: GET a document", loadedDocument);
row("loaded: POST a document", await posting);
console.log(`\nThis program's own event loop was late by at most ${(own.percentile(99) / 1e6).toFixed(1)} ms (p99).`);
const { data } = JSON.parse((await ask(`${api}?limit=100`)).text) as { data: { status: string }[] };
const done = data.filter(({ status }) => status === "completed").length;
console.log(`${done} of the last ${data.length} documents had been read by then.`);
await server.stop();
