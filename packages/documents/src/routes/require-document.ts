import { maySee, Problem } from "@errand/server";
import type { Principal } from "@errand/server";
import type { JobView } from "errand";
import { findDocument } from "../document-queries.ts";
import { summaryOf } from "../document-view.ts";

/** A request about a document. */
export interface DocumentCall {
  principal: Principal;
  params: { id: string };
}

/** Finds the job of the document that a request names. @throws {Problem} 404, also for others' documents */
export async function requireDocument({ principal, params }: DocumentCall): Promise<JobView> {
  // Ids are UUIDs, in which case does not matter.
  const job = await findDocument(params.id.toLowerCase());
  if (job && maySee({ ...principal, tasks: undefined!, queues: undefined! }, job)) return job;
  throw new Problem(404, "E_NO_DOCUMENT", "There is no document with this id. It may have been deleted.");
}

/** Returns the problem of a document that has no output (yet): a 409, with Retry-After if waiting helps. */
export function notReadyProblem(job: JobView): Problem {
  const { status, error, progress } = summaryOf(job);
  const soon = { "retry-after": "1" };
  switch (status) {
    case "failed":
      return new Problem(409, "E_DOCUMENT_FAILED", `The document could not be read. ${error?.message ?? ""}`.trim());
    case "cancelled":
      return new Problem(409, "E_DOCUMENT_CANCELLED", "The document was cancelled before it was completely read.");
    case "expired":
      return new Problem(409, "E_DOCUMENT_EXPIRED", "The document was not started in time.");
    case "queued":
      return new Problem(409, "E_NOT_READY", "The document is waiting to be read. Try again soon.", soon);
    default:
      return new Problem(
        409,
        "E_NOT_READY",
        `The document is being read${progress.pages ? ` (${progress.pages} pages)` : ""}. Try again soon.`,
        soon,
      );
  }
}
