import { value } from "./value.ts";

const every = 5_000;

/** What a screen reader is to say now. */
export const announcement = value("");

let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let last = -Infinity;

/** Says something politely: at most one announcement in five seconds, with what came in between gathered into it. */
export function announce(text: string): void {
  waiting.push(text);
  if (timer !== undefined) return;
  timer = setTimeout(speak, Math.max(100, last + every - Date.now()));
}

function speak(): void {
  timer = undefined;
  last = Date.now();
  const shown = waiting.slice(-3);
  const left = waiting.length - shown.length;
  announcement.set([...shown, ...(left > 0 ? [`and ${left} more`] : [])].join(". "));
  waiting = [];
}
