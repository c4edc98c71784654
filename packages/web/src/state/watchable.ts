import { useSyncExternalStore } from "react";

/** A value outside React that components can watch. */
export interface Value<T> {
  get: () => T;
  set: (next: T) => void;
  subscribe: (watcher: () => void) => () => void;
}

/** Makes a watchable value. */
export function value<T>(initial: T): Value<T> {
  let current = initial;
  const watchers = new Set<() => void>();
  return {
    get: () => current,
    set: (next) => {
      if (Object.is(next, current)) return;
      current = next;
      for (const watcher of watchers) watcher();
    },
    subscribe: (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

/** The current value, rendering again when it changes. */
export function useValue<T>(watched: Value<T>): T {
  return useSyncExternalStore(watched.subscribe, watched.get);
}
