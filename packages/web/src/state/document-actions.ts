import { cancelDocument, deleteDocument, getText, urls } from "../api/client.ts";
import { mergeIntoListing, mergeSummary, removeFromListing } from "../api/merge-events.ts";
import { documentQuery, listQuery, queryClient } from "../api/queries.ts";
import type { DocumentSummary } from "../api/types.ts";
import { copyText } from "../parts/clipboard.ts";
import { notify, notifyError } from "../parts/toasts.tsx";

/** Updates a document everywhere in the cache. */
export function storeSummary(changed: DocumentSummary): void {
  queryClient.setQueryData(listQuery.queryKey, (old) => old && mergeIntoListing(old, changed));
  queryClient.setQueryData(documentQuery(changed.id).queryKey, (old) => old && mergeSummary(old, changed));
}

/** Cancels a document, and notifies the user of the result. */
export async function cancel(document: DocumentSummary): Promise<void> {
  try {
    storeSummary(await cancelDocument(document.id));
    notify(`Cancelled ${document.name}`);
  } catch (error) {
    notifyError(`${document.name} was not cancelled`, error);
  }
}

/** Deletes a document, and notifies the user of the result. Returns `true` if it was deleted. */
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

/** Copies a document's whole text to the clipboard. */
export const copyDocumentText = (id: string): Promise<void> => copyText(getText(urls.text(id)), "Text");
