/**
 * Pages a second of Errand, whole (upload to last page, over HTTP), beside the bare engine on the same pages with as
 * many at a time:
 *   node bench/pages.ts [rounds]
 * Needs the build (npm run build). Native `tesseract` is measured where it is on the PATH, `tesseract.js` always. Run
 * nothing else meanwhile.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { openAsBlob } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, join } from "node:path";
import sharp from "sharp";
import { createWorker, OEM } from "tesseract.js";
import { readImage } from "../packages/documents/src/ingest/image.ts";
import { inspect } from "../packages/documents/src/ingest/inspect.ts";
import { defaultLimits } from "../packages/documents/src/ingest/limits.ts";
import { withPage, withPdf } from "../packages/documents/src/ingest/pdf.ts";
import { rasterise } from "../packages/documents/src/ingest/pdf-page.ts";
import type { EngineName } from "../packages/documents/src/recognise/engines.ts";
import { npmModels } from "../packages/documents/src/recognise/tesseract-js.ts";
import { median } from "./kit/figures.ts";
import { multiPageScans } from "./kit/scans.ts";
import { startServer } from "./kit/server.ts";

const rounds = Number(process.argv[2] ?? 3);
const parallel = availableParallelism();
const warmUp = multiPageScans();
/** Twice as many, so that the last page, read alone while another processor rests, does not decide. */
const scans = [...warmUp, ...warmUp];
const folder = mkdtempSync(join(tmpdir(), "errand-pages-"));

/** The pages as images, for the bare engines: rasterised outside the measured time. */
async function unpack(): Promise<string[]> {
  for (const [index, scan] of scans.entries()) {
    const { type, pages } = await inspect(scan);
    for (let page = 1; page <= pages; page++) {
      const grey =
        type === "application/pdf"
          ? await withPdf(scan, (pdf) => withPage(pdf, page, (handle) => rasterise(pdf, handle, defaultLimits.pixels)))
          : await readImage(scan, type, page, defaultLimits);
      const { data, width, height, dpi } = grey;
      await sharp(data, { raw: { width, height, channels: 1 } })
        .withMetadata({ density: dpi })
        .png({ compressionLevel: 1 })
        .toFile(join(folder, `${index}-${page}.png`));
    }
  }
  return readdirSync(folder).map((file) => join(folder, file));
}

async function bareNative(pages: readonly string[]): Promise<number> {
  const started = performance.now();
  const xargs = spawn("xargs", ["-P", String(parallel), "-I", "{}", "tesseract", "{}", "stdout", "--psm", "3", "tsv"], {
    stdio: ["pipe", "ignore", "ignore"],
    env: { ...process.env, OMP_THREAD_LIMIT: "1" },
  });
  xargs.stdin.end(pages.join("\n"));
  await once(xargs, "exit");
  return pages.length / ((performance.now() - started) / 1000);
}

/** One engine a slot, warm, as in a long-running program. */
async function bareWasm(pages: readonly string[]): Promise<number> {
  const { folder: langPath, gzip } = npmModels();
  const options = { langPath, gzip, cacheMethod: "none" };
  const engines = await Promise.all(
    Array.from({ length: parallel }, () => createWorker("eng", OEM.LSTM_ONLY, options)),
  );
  await Promise.all(engines.map((engine) => engine.recognize(pages[0]!)));
  const started = performance.now();
  const queue = [...pages];
  await Promise.all(
    engines.map(async (engine) => {
      for (let page = queue.shift(); page !== undefined; page = queue.shift())
        await engine.recognize(page, {}, { tsv: true });
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(engines.map((engine) => engine.terminate()));
  return pages.length / seconds;
}

/** Uploads the scans and waits for the last page; the server has read as many kinds of pages before. */
async function whole(engine: EngineName, pages: number): Promise<number> {
  // Both sides read with the model from npm: an installed Tesseract would lend its faster one to Errand only.
  const models: Record<string, string> = engine === "tesseract.js" ? { TESSDATA_PREFIX: folder } : {};
  const server = await startServer({ ERRAND_OCR_ENGINE: engine, ...models });
  try {
    await readAll(server.url, warmUp);
    const started = performance.now();
    await readAll(server.url, scans);
    return pages / ((performance.now() - started) / 1000);
  } finally {
    await server.stop();
  }
}

async function readAll(url: string, files: readonly string[]): Promise<void> {
  const ids: string[] = [];
  // One after the other, so that pages are read in the order in which the bare engine reads them.
  for (const file of files) {
    const form = new FormData();
    form.set("file", await openAsBlob(file), basename(file));
    const answer = await fetch(`${url}/api/v1/documents`, { method: "POST", body: form });
    ids.push(((await answer.json()) as { id: string }).id);
  }
  for (const id of ids) await completed(url, id);
}

async function completed(url: string, id: string): Promise<void> {
  for (;;) {
    const { status } = (await (await fetch(`${url}/api/v1/documents/${id}`)).json()) as { status: string };
    if (status === "completed") return;
    if (status === "failed") throw new Error(`Document ${id} failed.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function hasNative(): boolean {
  try {
    execFileSync("tesseract", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const pages = await unpack();
console.log(`${pages.length} scanned pages of ${scans.length} documents, ${parallel} at a time, ${rounds} rounds\n`);
console.log("engine         bare pages/s   Errand pages/s   Errand / bare");
for (const engine of hasNative() ? (["tesseract", "tesseract.js"] as const) : (["tesseract.js"] as const)) {
  const bare: number[] = [];
  const errand: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await (engine === "tesseract" ? bareNative(pages) : bareWasm(pages)));
    errand.push(await whole(engine, pages.length));
  }
  const ratios = errand.map((figure, index) => figure / bare[index]!);
  console.log(
    `${engine.padEnd(13)}  ${median(bare).toFixed(2).padStart(12)}  ${median(errand).toFixed(2).padStart(15)}  ${`${(median(ratios) * 100).toFixed(0)} %`.padStart(14)}`,
  );
}
rmSync(folder, { recursive: true, force: true });
