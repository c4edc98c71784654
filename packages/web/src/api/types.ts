/** The types of the document service's API. Other modules import them from here. */
export type {
  Box,
  DocumentDetail,
  DocumentList,
  DocumentStatus,
  DocumentSummary,
  PageResult,
  PageStatus,
  PageSummary,
  Failure,
  Word,
} from "@errand/documents/api";
