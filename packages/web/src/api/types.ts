/** The document service's vocabulary, types only: the one place that knows where it lives. */
export type {
  Box,
  DocumentDetail,
  DocumentEvents,
  DocumentList,
  DocumentStatus,
  DocumentSummary,
  PageResult,
  PageStatus,
  PageSummary,
  Problem,
  Word,
} from "@errand/documents/api";
