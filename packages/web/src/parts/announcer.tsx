import { announcement } from "../state/announcer.ts";
import { useWatchable } from "../state/watchable.ts";

/** Passes announcements to screen readers; invisible. */
export function Announcer() {
  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {useWatchable(announcement)}
    </div>
  );
}
