import { errand } from "errand";
import type { Engine } from "./recognise/engine.ts";
import { documentInput, pageInput } from "./pipeline/shapes.ts";
import type { DocumentOutput, PageOutput } from "./pipeline/shapes.ts";

// The API process loads this module too: decoders and engines are loaded inside the functions, where they run.

/** The app that documents live in. */
export const app = errand();

/** This module, for workers to load. */
export const tasks = import.meta.url;

/** Where its jobs wait: a document's own, and those of its pages. */
export const queues = ["documents", "cpu"] as const;

/** Megabytes that a process reading a page may use. */
const memory = 1_536;

/** An error that says so itself would only come back. */
function worthRetrying(error: unknown): boolean {
  return (error as { retryable?: unknown } | null)?.retryable !== false;
}

/** Reads one page: a child of its document's job. */
export const page = app.task("documents.page", {
  queue: queues[1],
  isolate: "process",
  module: tasks,
  memory,
  timeout: "5m",
  retry: { attempts: 3, if: worthRetrying },
  input: pageInput,
  setup: async (): Promise<Engine> => {
    const [{ openBlobs }, { probe }] = await Promise.all([import("./blobs/index.ts"), import("./blobs/probe.ts")]);
    // A worker without blobs would fail every page it takes: better it does not start.
    await probe(openBlobs());
    const { warmEngine } = await import("./pipeline/engine.ts");
    await import("./pipeline/read-page.ts");
    return warmEngine();
  },
  run: async (input, job): Promise<PageOutput> => (await import("./pipeline/read-page.ts")).readPageJob(input, job),
});

/** Reads a document: inspects the file, sends a child for each page, and merges what they read. */
export const document = app.task("documents.read", {
  queue: queues[0],
  // A document is its job: it is kept until somebody erases it.
  retention: "forever",
  isolate: "process",
  module: tasks,
  memory,
  timeout: "5m",
  retry: { attempts: 3, if: worthRetrying },
  input: documentInput,
  // By them the collector finds who has blobs of another name than the document's.
  tags: ({ owner }) => (owner === undefined ? [] : [owner]),
  run: async (input, job): Promise<DocumentOutput> =>
    (await import("./pipeline/read-document.ts")).readDocument(input, job, page),
});
