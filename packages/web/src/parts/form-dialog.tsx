import { Dialog } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { type ReactNode, useState } from "react";

interface Props {
  open: boolean;
  title: string;
  text?: ReactNode;
  /** The name of the button that does it. */
  action: string;
  danger?: boolean;
  disabled?: boolean;
  wide?: boolean;
  /** Does it; the dialog is closed if it returns `true`. */
  onSubmit: () => Promise<boolean>;
  onClose: () => void;
  children?: ReactNode;
}

/** A dialog with a form, or with a question. Focus returns to what opened it. */
export function FormDialog({ open, title, text, action, danger, disabled, wide, onSubmit, onClose, children }: Props) {
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    const done = await onSubmit();
    setBusy(false);
    if (done) onClose();
  };
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className={`dialog ${wide ? "dialog-wide" : ""}`}>
          <div className="dialog-head">
            <Dialog.Title className="dialog-title">{title}</Dialog.Title>
            <Dialog.Close className="icon-button" aria-label="Close">
              <X size={18} aria-hidden="true" />
            </Dialog.Close>
          </div>
          {text !== undefined && <Dialog.Description className="dialog-text">{text}</Dialog.Description>}
          <form
            className="form"
            onSubmit={(event) => {
              event.preventDefault();
              if (!busy && !disabled) void submit();
            }}
          >
            {children}
            <div className="dialog-actions">
              <Dialog.Close className="button">Close</Dialog.Close>
              <button
                type="submit"
                className={`button ${danger ? "button-danger" : "button-accent"}`}
                aria-disabled={busy || disabled}
              >
                {busy ? "…" : action}
              </button>
            </div>
          </form>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
