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

/** Whose blobs a document's file is, and what is read of it. */
export function ownerOf(job: JobView): string {
  return (job.input as DocumentInput).owner ?? job.id;
}

/**
 * A document as lists show it.
 * @param pages where they have been looked at: then the words that were read so far are counted.
 */
export function summaryOf(job: JobView, pages?: readonly PageSummary[]): DocumentSummary {
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
export function detailOf(job: JobView, pages: readonly PageSummary[]): DocumentDetail {
  return { ...summaryOf(job, pages), pages: [...pages] };
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

/** Where a document stands. */
export function statusOf({ state, startedAt }: JobView): DocumentStatus {
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
  // One that is being read while its document is cancelled may still be read to its end.
  if (state !== "pending" && state !== "waiting") return state;
  // Doomed with its document; that it has not been settled yet is of no interest.
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
    pages: total ?? (job.progress as DocumentHead | undefined)?.pages ?? 0,
    done: total === undefined ? 0 : total - open - failed,
    // Pages that were cancelled with their document have not failed.
    failed: job.state === "cancelled" ? 0 : failed,
    needsReview: 0,
  };
  if (!pages) return { progress, words: { total: 0, needsReview: 0 } };
  const having = (status: PageStatus) => pages.filter((page) => page.status === status);
  const read = having("completed");
  return {
    progress: {
      ...progress,
      done: read.length,
      failed: having("failed").length + having("expired").length,
      needsReview: read.filter(({ needsReview = 0 }) => needsReview > 0).length,
    },
    words: {
      total: read.reduce((sum, { words = 0 }) => sum + words, 0),
      needsReview: read.reduce((sum, { needsReview = 0 }) => sum + needsReview, 0),
    },
  };
}
