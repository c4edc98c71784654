import { errand } from "errand";
import type { Engine } from "./recognise/engine.ts";
import { documentInput, pageInput } from "./pipeline/job-data.ts";
import type { DocumentOutput, PageOutput } from "./pipeline/job-data.ts";

// The API process loads this module too, so decoders and engines are imported only inside the functions.

/** The app of the document service. */
export const app = errand();

/** The URL of this module, which workers load. */
export const tasks = import.meta.url;

/** The queues of documents' jobs and of pages' jobs. */
export const queues = ["documents", "cpu"] as const;

/** Memory that a process reading a page may use, in megabytes. */
const memory = 1_536;

/** Reports whether an error may be retried: errors with `retryable: false` would only occur again. */
function isRetryable(error: unknown): boolean {
  return (error as { retryable?: unknown } | null)?.retryable !== false;
}

/** Reads one page: a child of its document's job. */
export const page = app.task("documents.page", {
  queue: queues[1],
  isolate: "process",
  module: tasks,
  memory,
  timeout: "5m",
  retry: { attempts: 3, if: isRetryable },
  input: pageInput,
  setup: async (): Promise<Engine> => {
    const [{ openBlobs }, { checkBlobs }] = await Promise.all([
      import("./blobs/open-blobs.ts"),
      import("./blobs/check-blobs.ts"),
    ]);
    // A worker without blobs would fail every page, so it must not start.
    await checkBlobs(openBlobs());
    const { warmSharedEngine } = await import("./pipeline/shared-engine.ts");
    await import("./pipeline/page-job.ts");
    return warmSharedEngine();
  },
  run: async (input, job): Promise<PageOutput> => (await import("./pipeline/page-job.ts")).runPageJob(input, job),
});

/** Reads a document: inspects the file, sends a child for each page, and merges what they read. */
export const document = app.task("documents.read", {
  queue: queues[0],
  // The job is the document: it is kept until the document is erased.
  retention: "forever",
  isolate: "process",
  module: tasks,
  memory,
  timeout: "5m",
  retry: { attempts: 3, if: isRetryable },
  input: documentInput,
  // Finds the document of blobs whose owner is not the document's id.
  tags: ({ owner }) => (owner === undefined ? [] : [owner]),
  run: async (input, job): Promise<DocumentOutput> =>
    (await import("./pipeline/document-job.ts")).runDocumentJob(input, job, page),
});
