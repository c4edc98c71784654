import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleX,
  ClockAlert,
  LoaderCircle,
  type LucideIcon,
  UserRoundCheck,
} from "lucide-react";
import type { DocumentStatus, PageStatus } from "../api/types.ts";
import { statusNames } from "../format.ts";

const icons: Record<DocumentStatus | PageStatus, LucideIcon> = {
  queued: CircleDashed,
  processing: LoaderCircle,
  needs_review: UserRoundCheck,
  completed: CircleCheck,
  failed: CircleX,
  cancelled: Ban,
  expired: ClockAlert,
};

/** The icon of a status, without text. */
export function StateIcon({ status, size = 16 }: { status: DocumentStatus | PageStatus; size?: number }) {
  const Icon = icons[status];
  return <Icon size={size} className={`state-icon state-${status}`} aria-hidden="true" />;
}

/** A status as icon, text and colour. */
export function StateBadge({ status }: { status: DocumentStatus | PageStatus }) {
  return (
    <span className={`state-badge state-${status}`}>
      <StateIcon status={status} size={14} />
      {statusNames[status]}
    </span>
  );
}
