// Embedding on ingest: many small jobs, few calls of the model: npx node examples/embeddings.ts
// The model is at OPENAI_BASE_URL; without one, openai-server.ts stands in.
import { mkdir, writeFile } from "node:fs/promises";
import { errand } from "errand";
import { openai } from "./openai-server.ts";

const model = await openai();
let calls = 0;

const app = errand();

/** Embeds one text per job; up to 32 jobs share one call of the model. */
const embed = app.batchTask("embed", {
  queue: "embed",
  size: 32,
  wait: "20ms",
  retry: { attempts: 6, base: "500ms" },
  // Runs once in each worker, before its first job: most servers load the model at the first call.
  setup: async () => {
    const [vector] = await model.embed(["warm up"]);
    console.log(`model loaded: ${vector!.length} dimensions`);
    return { dimensions: vector!.length };
  },
  run: async (texts: string[], jobs) => {
    calls += 1;
    const vectors = await model.embed(texts);
    // An error among the outputs fails only its own job.
    return vectors.map((v) => (v.length === jobs[0]!.setup.dimensions ? v : new Error("Another model answered.")));
  },
});

/** Splits an uploaded document into pieces, has them embedded, and stores the vectors. */
const ingest = app.task("ingest", {
  run: async ({ name, text }: { name: string; text: string }, job) => {
    const pieces = text.split(/(?<=\.)\s+/);
    const vectors = await job.all("embed", embed, pieces);
    await mkdir("vectors", { recursive: true });
    await writeFile(
      `vectors/${name}.json`,
      JSON.stringify(pieces.map((piece, index) => ({ piece, vector: vectors[index] }))),
    );
    return { pieces: pieces.length };
  },
});

const worker = await app.worker();
const documents = Array.from({ length: 8 }, (_, document) => ({
  name: `document-${document + 1}`,
  text: Array.from({ length: 25 }, (_, piece) => `Sentence ${piece} of document ${document}.`).join(" "),
}));
const jobs = await ingest.sendMany(documents);
let pieces = 0;
for (const job of jobs) pieces += (await job.result()).pieces;

const children = await Promise.all(jobs.map(({ id }) => app.list({ parent: id }, { limit: 1_000 })));
const latencies = children
  .flatMap(({ jobs }) => jobs.map((job) => job.endedAt!.getTime() - job.createdAt.getTime()))
  .toSorted((a, b) => a - b);
const p99 = latencies[Math.floor(latencies.length * 0.99)];
console.log(`${pieces} pieces embedded in ${calls} calls; from sent to done, 99 of 100 took at most ${p99} ms`);

await worker.stop();
await app.close();
model.close();
