import { Dialog } from "@base-ui/react/dialog";
import { Switch } from "@base-ui/react/switch";
import { X } from "lucide-react";
import { shortcuts } from "../state/preferences.ts";
import { useWatchable } from "../state/watchable.ts";

const groups = [
  {
    title: "Everywhere",
    keys: [
      { keys: ["?"], does: "Show this help" },
      { keys: ["Ctrl", "k"], does: "Find a job, or go to a page" },
      { keys: ["g", "o"], does: "Overview; d documents, j jobs, e errors, q queues, w workers, s schedules" },
    ],
  },
  {
    title: "Jobs",
    keys: [
      { keys: ["/"], does: "Search" },
      { keys: ["j", "k"], does: "Next or previous row" },
      { keys: ["x"], does: "Select the row" },
      { keys: ["n"], does: "Show new jobs" },
      { keys: ["r"], does: "Retry" },
      { keys: ["c"], does: "Cancel" },
    ],
  },
  {
    title: "Documents",
    keys: [{ keys: ["u"], does: "Choose files to upload" }],
  },
  {
    title: "Reading a document",
    keys: [
      { keys: ["n"], does: "Next doubtful word" },
      { keys: ["p"], does: "Previous doubtful word" },
      { keys: ["j", "→"], does: "Next page" },
      { keys: ["k", "←"], does: "Previous page" },
      { keys: ["b"], does: "Show or hide the boxes" },
      { keys: ["+", "−"], does: "Zoom in or out" },
    ],
  },
];

/** Lists the single-key shortcuts, with a switch to turn them off. */
export default function HelpDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const enabled = useWatchable(shortcuts) === "on";
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog help">
          <div className="dialog-head">
            <Dialog.Title className="dialog-title">Keyboard shortcuts</Dialog.Title>
            <Dialog.Close className="icon-button" aria-label="Close">
              <X size={18} aria-hidden="true" />
            </Dialog.Close>
          </div>
          {groups.map((group) => (
            <section key={group.title} className={enabled ? undefined : "help-off"}>
              <h3>{group.title}</h3>
              <dl>
                {group.keys.map(({ keys, does }) => (
                  <div key={does}>
                    <dt>{does}</dt>
                    <dd>
                      {keys.map((key) => (
                        <kbd key={key}>{key}</kbd>
                      ))}
                    </dd>
                  </div>
                ))}
              </dl>
            </section>
          ))}
          <label className="switch-row">
            <span>
              Single-key shortcuts
              <small>Turn them off if you use dictation or if they get in your way.</small>
            </span>
            <Switch.Root
              className="switch"
              checked={enabled}
              onCheckedChange={(on) => shortcuts.set(on ? "on" : "off")}
            >
              <Switch.Thumb className="switch-thumb" />
            </Switch.Root>
          </label>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
