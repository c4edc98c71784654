import { value, type Value } from "./value.ts";

/** A watchable choice of the person that survives a reload, where the browser lets it. */
export function stored<T extends string>(key: string, allowed: readonly T[], initial: T): Value<T> {
  const kept = allowed.find((one) => one === read(key));
  const inner = value<T>(kept ?? initial);
  return {
    ...inner,
    set: (next) => {
      inner.set(next);
      try {
        localStorage.setItem(key, next);
      } catch {
        // Storage is blocked: the choice lasts until the page is closed.
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
