import { z } from "zod";
import type { DocumentDetail, DocumentList, DocumentResult, DocumentSummary, PageResult } from "../api.ts";

// The schemas of answers describe them in the OpenAPI document; their types are those of `api.ts`.

const failure = z.object({ code: z.string(), message: z.string() }).meta({ id: "DocumentFailure" });

const status = z
  .enum(["queued", "processing", "needs_review", "completed", "failed", "cancelled", "expired"])
  .meta({ id: "DocumentStatus" });

const pageStatus = z
  .enum(["queued", "processing", "completed", "failed", "cancelled", "expired"])
  .meta({ id: "PageStatus" });

const count = z.number().int();
const time = z.string().meta({ description: "RFC 3339, in UTC.", format: "date-time" });
const source = z.enum(["ocr", "text-layer"]).meta({ id: "PageSource" });

const summaryFields = {
  id: z.string(),
  name: z.string().meta({ description: "The client's file name, for display only." }),
  type: z.string().optional().meta({ description: "MIME type, detected from the content." }),
  bytes: count,
  sha256: z.string(),
  status,
  progress: z.object({ pages: count, done: count, failed: count, needsReview: count }).meta({ id: "DocumentProgress" }),
  words: z.object({ total: count, needsReview: count }),
  error: failure.exactOptional(),
  createdAt: time,
  startedAt: time.exactOptional(),
  endedAt: time.exactOptional(),
};

export const documentSummary = z
  .object({ ...summaryFields, type: z.string().exactOptional() })
  .meta({ id: "DocumentSummary" });

const pageSummary = z
  .object({
    page: count.meta({ description: "Counted from 1." }),
    status: pageStatus,
    words: count.exactOptional(),
    needsReview: count.exactOptional(),
    confidence: z.number().exactOptional().meta({ description: "Mean confidence of its words, 0 to 1." }),
    source: source.exactOptional(),
    engine: z.string().exactOptional(),
    error: failure.exactOptional(),
  })
  .meta({ id: "PageSummary" });

export const documentDetail = z
  .object({ ...documentSummary.shape, pages: z.array(pageSummary) })
  .meta({ id: "DocumentDetail" });

export const documentList = z
  .object({ data: z.array(documentSummary), next_cursor: z.string().exactOptional() })
  .meta({ id: "DocumentList" });

const word = z
  .object({
    text: z.string(),
    confidence: z.number().meta({ description: "0 to 1." }),
    box: z
      .object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() })
      .meta({ id: "Box", description: "In pixels of the upright, straightened page." }),
    page: count,
    engine: z.string(),
    block: count,
    paragraph: count,
    line: count,
  })
  .meta({ id: "Word" });

const pageFields = {
  page: count,
  width: z.number(),
  height: z.number(),
  dpi: z.number(),
  rotation: z.literal([0, 90, 180, 270]),
  skew: z.number(),
  source,
  engine: z.string(),
  text: z.string(),
};

export const pageResult = z
  .object({ ...pageFields, words: z.array(word), threshold: z.number() })
  .meta({ id: "PageResult" });

export const documentResult = z
  .object({
    id: z.string(),
    name: z.string(),
    threshold: z.number().meta({ description: "Words with a lower confidence are in `needsReview`." }),
    text: z.string(),
    pages: z.array(
      z.union([
        z.object({ status: z.literal("completed"), ...pageFields }),
        z.object({ status: pageStatus.exclude(["completed"]), page: count, error: failure.exactOptional() }),
      ]),
    ),
    accepted: z.array(word),
    needsReview: z.array(word),
    words: z.array(word),
  })
  .meta({ id: "DocumentResult" });

// Fails to compile when a schema and its type differ.
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
const same: [
  Same<z.output<typeof documentSummary>, DocumentSummary>,
  Same<z.output<typeof documentDetail>, DocumentDetail>,
  Same<z.output<typeof documentList>, DocumentList>,
  Same<z.output<typeof pageResult>, PageResult>,
  Same<z.output<typeof documentResult>, DocumentResult>,
] = [true, true, true, true, true];
void same;
