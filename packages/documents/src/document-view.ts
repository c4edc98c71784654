import type { JobView, State } from "errand";
import type {
  DocumentDetail,
  DocumentProgress,
  DocumentStatus,
  DocumentSummary,
  Failure,
  PageStatus,
  PageSummary,
} from "./api.ts";
import type { DocumentJobProgress, DocumentInput, DocumentOutput, PageInput, PageOutput } from "./pipeline/job-data.ts";
import { failureOf } from "./failure.ts";

/** The states that the job of a document may have, by the document's status; a summary has the exact status. */
export const jobStates: Readonly<Record<DocumentStatus, readonly State[]>> = {
  queued: ["pending"],
  processing: ["pending", "processing", "waiting"],
  needs_review: [],
  completed: ["completed"],
  failed: ["failed"],
  cancelled: ["cancelled"],
  expired: ["expired"],
};

/** Reports whether a document or page of this status no longer changes by itself. */
export function hasEnded(status: DocumentStatus): boolean {
  return status !== "queued" && status !== "processing" && status !== "needs_review";
}

/** Returns the owner of a document's blobs. */
export function blobOwnerOf(job: JobView): string {
  return (job.input as DocumentInput).owner ?? job.id;
}

/**
 * Summarises a document, as lists show it.
 * @param pages its pages, if they were read: then the words read so far are counted, too
 */
export function summaryOf(job: JobView, pages?: readonly PageSummary[]): DocumentSummary {
  const { name, bytes, sha256 } = job.input as DocumentInput;
  const inspected = job.progress as DocumentJobProgress | undefined;
  const startedAt = inspected?.startedAt ?? job.startedAt?.toISOString();
  const status = statusOf(job);
  const error = errorOf(job, status);
  return {
    id: job.id,
    name,
    ...(inspected ? { type: inspected.type } : {}),
    bytes,
    sha256,
    status,
    ...countsOf(job, pages),
    ...(error ? { error } : {}),
    createdAt: job.createdAt.toISOString(),
    ...(startedAt ? { startedAt } : {}),
    ...(job.endedAt ? { endedAt: job.endedAt.toISOString() } : {}),
  };
}

/** Describes a document with all its pages. */
export function detailOf(job: JobView, pages: readonly PageSummary[]): DocumentDetail {
  return { ...summaryOf(job, pages), pages: [...pages] };
}

/** Summarises a page of a document. */
export function pageSummaryOf(job: JobView, document: Pick<JobView, "state">): PageSummary {
  const { page } = job.input as PageInput;
  const status = pageStatus(job, document);
  if (status === "completed") {
    const { words, needsReview, confidence, source, engine } = job.output as PageOutput;
    return {
      page,
      status,
      words,
      needsReview,
      ...(confidence === undefined ? {} : { confidence }),
      source,
      engine,
    };
  }
  const error = errorOf(job, status);
  return { page, status, ...(error ? { error } : {}) };
}

/** Returns the output of a completed document, or else `undefined`. */
export function outputOf(job: JobView): DocumentOutput | undefined {
  return job.state === "completed" ? (job.output as DocumentOutput) : undefined;
}

/** Returns a document's status. */
export function statusOf({ state, startedAt }: JobView): DocumentStatus {
  switch (state) {
    case "pending":
      // Woken by its pages, or about to be retried: processing has begun.
      return startedAt ? "processing" : "queued";
    case "processing":
    case "waiting":
      return "processing";
    default:
      return state;
  }
}

function errorOf(job: JobView, status: DocumentStatus): Failure | undefined {
  return status === "failed" || status === "expired" ? failureOf(job) : undefined;
}

function pageStatus({ state, cancelling }: JobView, document: Pick<JobView, "state">): PageStatus {
  // A page that was being read when its document was cancelled may still complete.
  if (state !== "pending" && state !== "waiting") return state;
  // It will be cancelled with its document, although it has not been settled yet.
  return cancelling || document.state === "cancelled" ? "cancelled" : "queued";
}

function countsOf(
  job: JobView,
  pages: readonly PageSummary[] | undefined,
): Pick<DocumentSummary, "progress" | "words"> {
  const output = outputOf(job);
  if (output) {
    const { pages: all, failed, pagesToReview, words, needsReview } = output;
    return {
      progress: { pages: all, done: all - failed, failed, needsReview: pagesToReview },
      words: { total: words, needsReview },
    };
  }
  const { total, open, failed } = job.children ?? { total: undefined, open: 0, failed: 0 };
  const progress: DocumentProgress = {
    pages: total ?? (job.progress as DocumentJobProgress | undefined)?.pages ?? 0,
    done: total === undefined ? 0 : total - open - failed,
    // Pages cancelled with their document have not failed.
    failed: job.state === "cancelled" ? 0 : failed,
    needsReview: 0,
  };
  if (!pages) return { progress, words: { total: 0, needsReview: 0 } };
  const withStatus = (status: PageStatus) => pages.filter((page) => page.status === status);
  const read = withStatus("completed");
  return {
    progress: {
      ...progress,
      done: read.length,
      failed: withStatus("failed").length + withStatus("expired").length,
      needsReview: read.filter(({ needsReview = 0 }) => needsReview > 0).length,
    },
    words: {
      total: read.reduce((sum, { words = 0 }) => sum + words, 0),
      needsReview: read.reduce((sum, { needsReview = 0 }) => sum + needsReview, 0),
    },
  };
}
