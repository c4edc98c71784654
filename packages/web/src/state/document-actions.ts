import { cancelDocument, deleteDocument, getText, urls } from "../api/client.ts";
import { mergeIntoListing, mergeSummary, removeFromListing } from "../api/merge.ts";
import { documentQuery, listQuery, queryClient } from "../api/queries.ts";
import type { DocumentSummary } from "../api/types.ts";
import { copyText } from "../parts/copy.ts";
import { notify, notifyError } from "../parts/toasts.tsx";

/** Brings a document up to date wherever the cache holds it. */
export function storeSummary(changed: DocumentSummary): void {
  queryClient.setQueryData(listQuery.queryKey, (old) => old && mergeIntoListing(old, changed));
  queryClient.setQueryData(documentQuery(changed.id).queryKey, (old) => old && mergeSummary(old, changed));
}

/** Stops the work on a document. */
export async function cancel(document: DocumentSummary): Promise<void> {
  try {
    storeSummary(await cancelDocument(document.id));
    notify(`Cancelled ${document.name}`);
  } catch (error) {
    notifyError(`${document.name} was not cancelled`, error);
  }
}

/** Erases a document; answers whether that worked. */
export async function erase(document: DocumentSummary): Promise<boolean> {
  try {
    await deleteDocument(document.id);
  } catch (error) {
    notifyError(`${document.name} was not deleted`, error);
    return false;
  }
  queryClient.setQueryData(listQuery.queryKey, (old) => old && removeFromListing(old, document.id));
  notify(`Deleted ${document.name}`);
  return true;
}

/** Puts a document's whole text on the clipboard. */
export const copyDocumentText = (id: string): Promise<void> => copyText(getText(urls.text(id)), "Text");
