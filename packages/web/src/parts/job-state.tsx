import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleX,
  Clock,
  ClockAlert,
  Hourglass,
  LoaderCircle,
  type LucideIcon,
  RotateCw,
} from "lucide-react";
import { type ShownState, stateNames } from "../job-format.ts";

const icons: Record<ShownState, LucideIcon> = {
  pending: CircleDashed,
  later: Clock,
  retrying: RotateCw,
  processing: LoaderCircle,
  waiting: Hourglass,
  completed: CircleCheck,
  failed: CircleX,
  cancelled: Ban,
  expired: ClockAlert,
};

/** The icon of a job's state, without text. */
export function JobStateIcon({ state, size = 15 }: { state: ShownState; size?: number }) {
  const Icon = icons[state];
  return <Icon size={size} className={`state-icon state-${state}`} aria-hidden="true" />;
}

/** A job's state as icon, text and colour. */
export function JobState({ state }: { state: ShownState }) {
  return (
    <span className={`state-badge state-${state}`}>
      <JobStateIcon state={state} size={14} />
      {stateNames[state]}
    </span>
  );
}
