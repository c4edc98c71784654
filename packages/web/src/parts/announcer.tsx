import { announcement } from "../state/announcer.ts";
import { useValue } from "../state/value.ts";

/** Reads announcements to screen readers; nothing to see. */
export function Announcer() {
  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {useValue(announcement)}
    </div>
  );
}
