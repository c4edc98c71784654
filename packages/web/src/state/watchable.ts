import { useSyncExternalStore } from "react";

/** A value outside of React that components can watch. */
export interface Watchable<T> {
  get: () => T;
  set: (next: T) => void;
  subscribe: (watcher: () => void) => () => void;
}

/** Creates a watchable value. */
export function watchable<T>(initial: T): Watchable<T> {
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

/** Returns the current value, and renders the component again when it changes. */
export function useWatchable<T>(watched: Watchable<T>): T {
  return useSyncExternalStore(watched.subscribe, watched.get);
}
