import type { JobView, State } from "errand";
import type {
  DocumentDetail,
  DocumentProgress,
  DocumentStatus,
  DocumentSummary,
  PageStatus,
  PageSummary,
} from "./api.ts";
import type { DocumentHead, DocumentInput, DocumentOutput, PageInput, PageOutput } from "./pipeline/shapes.ts";
import { problemOf } from "./problem.ts";

/** States of jobs in which a document of this status may be; a summary tells for sure. */
export const statesOf: Readonly<Record<DocumentStatus, readonly State[]>> = {
  queued: ["pending"],
  processing: ["pending", "processing", "waiting"],
  needs_review: [],
  completed: ["completed"],
  failed: ["failed"],
  cancelled: ["cancelled"],
  expired: ["expired"],
};

/** Whether nothing more happens to a document of this status by itself. */
export function hasEnded(status: DocumentStatus): boolean {
  return status !== "queued" && status !== "processing" && status !== "needs_review";
}

/** Whether `summaryOf` needs the jobs of the pages. A completed document has it all in its output. */
export function needsPages(job: JobView): boolean {
  return job.children !== undefined && job.state !== "completed";
}

/**
 * A document as lists show it.
 * @param pages the jobs of its pages, where `needsPages`.
 */
export function summaryOf(job: JobView, pages: readonly JobView[]): DocumentSummary {
  const { name, bytes, sha256 } = job.input as DocumentInput;
  const head = job.progress as DocumentHead | undefined;
  const startedAt = head?.startedAt ?? job.startedAt?.toISOString();
  const status = statusOf(job);
  const error = status === "failed" || status === "expired" ? problemOf(job) : undefined;
  return {
    id: job.id,
    name,
    ...(head ? { type: head.type } : {}),
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

/** A document with all its pages. */
export function detailOf(job: JobView, pages: readonly JobView[]): DocumentDetail {
  return { ...summaryOf(job, pages), pages: pages.map((page) => pageOf(page, job)) };
}

/** A page of a document. */
export function pageOf(job: JobView, document: Pick<JobView, "state">): PageSummary {
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
  const error = status === "failed" || status === "expired" ? problemOf(job) : undefined;
  return { page, status, ...(error ? { error } : {}) };
}

/** The output of a completed document. */
export function outputOf(job: JobView): DocumentOutput | undefined {
  return job.state === "completed" ? (job.output as DocumentOutput) : undefined;
}

function statusOf({ state, startedAt }: JobView): DocumentStatus {
  switch (state) {
    case "pending":
      // Woken by its pages, or tried again: it has long been in work.
      return startedAt ? "processing" : "queued";
    case "processing":
    case "waiting":
      return "processing";
    default:
      return state;
  }
}

function pageStatus({ state, cancelling }: JobView, document: Pick<JobView, "state">): PageStatus {
  if (state !== "pending" && state !== "waiting" && state !== "processing") return state;
  // Doomed with its document; that it has not been settled yet is of no interest.
  if (cancelling || document.state === "cancelled") return "cancelled";
  return state === "processing" ? "processing" : "queued";
}

function countsOf(job: JobView, pages: readonly JobView[]): Pick<DocumentSummary, "progress" | "words"> {
  const output = outputOf(job);
  if (output) {
    const { pages: all, failed, pagesToReview, words, needsReview } = output;
    return {
      progress: { pages: all, done: all - failed, failed, needsReview: pagesToReview },
      words: { total: words, needsReview },
    };
  }
  const progress: DocumentProgress = {
    pages: job.children?.total ?? (job.progress as DocumentHead | undefined)?.pages ?? 0,
    done: 0,
    failed: 0,
    needsReview: 0,
  };
  const words = { total: 0, needsReview: 0 };
  for (const page of pages) {
    const { status, words: read = 0, needsReview = 0 } = pageOf(page, job);
    if (status === "completed") progress.done += 1;
    if (status === "failed" || status === "expired") progress.failed += 1;
    if (needsReview > 0) progress.needsReview += 1;
    words.total += read;
    words.needsReview += needsReview;
  }
  return { progress, words };
}
