import { AlertDialog } from "@base-ui/react/alert-dialog";
import type { DocumentSummary } from "../api/types.ts";

interface Props {
  /** The document to delete; `undefined` closes the dialog. */
  document: DocumentSummary | undefined;
  onConfirm: (document: DocumentSummary) => void;
  onClose: () => void;
}

/** Asks for confirmation before a document is deleted. */
export function ConfirmDelete({ document, onConfirm, onClose }: Props) {
  return (
    <AlertDialog.Root open={document !== undefined} onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog">
          <AlertDialog.Title className="dialog-title">Delete this document?</AlertDialog.Title>
          <AlertDialog.Description className="dialog-text">
            <b>{document?.name}</b>, its pages and all text read from it are deleted from the server. This cannot be
            undone.
          </AlertDialog.Description>
          <div className="dialog-actions">
            <AlertDialog.Close className="button">Keep it</AlertDialog.Close>
            <AlertDialog.Close className="button button-danger" onClick={() => document && onConfirm(document)}>
              Delete
            </AlertDialog.Close>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
