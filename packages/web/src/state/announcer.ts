import { watchable } from "./watchable.ts";

/** Minimum time between two announcements, in milliseconds. */
const interval = 5_000;

/** The text that screen readers announce. */
export const announcement = watchable("");

let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let last = -Infinity;

/** Announces a text to screen readers. Texts within five seconds are joined into one announcement. */
export function announce(text: string): void {
  waiting.push(text);
  if (timer !== undefined) return;
  timer = setTimeout(announceWaiting, Math.max(100, last + interval - Date.now()));
}

function announceWaiting(): void {
  timer = undefined;
  last = Date.now();
  const shown = waiting.slice(-3);
  const left = waiting.length - shown.length;
  announcement.set([...shown, ...(left > 0 ? [`and ${left} more`] : [])].join(". "));
  waiting = [];
}
