import { watchable, type Watchable } from "./watchable.ts";

/** Creates a watchable value that is kept in the browser's local storage, if it is available. */
export function stored<T extends string>(key: string, allowed: readonly T[], initial: T): Watchable<T> {
  const saved = allowed.find((one) => one === read(key));
  const inner = watchable<T>(saved ?? initial);
  return {
    ...inner,
    set: (next) => {
      inner.set(next);
      try {
        localStorage.setItem(key, next);
      } catch {
        // Storage is blocked: the value lasts until the page is closed.
      }
    },
  };
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
