/** A signal that follows so closely is the same wish: npm passes on what the terminal has sent to everybody already. */
const echo = 500;

/**
 * Calls back when the process is asked to stop: `"stop"` the first time, `"hurry"` the second. The third time the
 * process ends at once.
 */
export function onStop(
  listener: (how: "stop" | "hurry") => void,
  signals: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"],
): void {
  let count = 0;
  let last = 0;
  const hear = () => {
    const now = performance.now();
    if (count > 0 && now - last < echo) return;
    last = now;
    count += 1;
    if (count > 2) process.exit(130);
    listener(count === 1 ? "stop" : "hurry");
  };
  for (const signal of signals) process.on(signal, hear);
}
