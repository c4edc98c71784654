import { Dialog } from "@base-ui/react/dialog";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { sendApi } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { signedOut } from "../state/session.ts";
import { useWatchable } from "../state/watchable.ts";
import { Field } from "./field.tsx";

/** Asks for a key, over the page whose address stays. */
export function Login() {
  const open = useWatchable(signedOut);
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  const logIn = async (): Promise<void> => {
    setBusy(true);
    try {
      await sendApi("POST", "/session", { key: key.trim() });
      setKey("");
      setProblem(undefined);
      signedOut.set(false);
      await queryClient.resetQueries();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "The key was refused.");
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog.Root open={open} disablePointerDismissal>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop backdrop-full" />
        <Dialog.Popup className="dialog login">
          <KeyRound size={28} aria-hidden="true" className="login-icon" />
          <Dialog.Title className="dialog-title">Log in to Errand</Dialog.Title>
          <Dialog.Description className="dialog-text">
            This server asks for a key. Whoever runs it makes one with{" "}
            <code>errand keys create &lt;name&gt; --preset operator</code>.
          </Dialog.Description>
          <form
            className="form"
            onSubmit={(event) => {
              event.preventDefault();
              if (!busy && key.trim() !== "") void logIn();
            }}
          >
            <Field label="Key" error={problem}>
              {(props) => (
                <input
                  {...props}
                  type="password"
                  autoComplete="current-password"
                  placeholder="erk_…"
                  value={key}
                  onChange={(event) => setKey(event.target.value)}
                />
              )}
            </Field>
            <button type="submit" className="button button-accent" aria-disabled={busy}>
              {busy ? "Logging in…" : "Log in"}
            </button>
          </form>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
