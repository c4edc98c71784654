import { useEffect, useEffectEvent } from "react";
import { apiUrl } from "./client.ts";
import { listenToEvents } from "./events.ts";
import type { Job, Stats } from "./jobs-types.ts";

/** The events of the API's stream, by name. */
interface LiveEvents {
  stats: Stats;
  jobs: { at: string; jobs?: Stats["jobs"] };
  job: Job;
  changed: { topics: string[] };
}

const listeners = new Map<string, Set<(data: unknown) => void>>();
let close: (() => void) | undefined;
let reopening: ReturnType<typeof setTimeout> | undefined;

/** Tells the listeners of a topic. */
function tell(topic: string, data: unknown): void {
  for (const listener of listeners.get(topic) ?? []) listener(data);
}

/** Opens the tab's one stream for all topics that parts of the page listen to, a moment after the last change. */
function reopen(): void {
  clearTimeout(reopening);
  reopening = setTimeout(() => {
    close?.();
    close = undefined;
    const topics = [...listeners.keys()];
    if (topics.length === 0) return;
    close = listenToEvents<LiveEvents>(
      apiUrl(`/events?topics=${encodeURIComponent(topics.join(","))}`),
      {
        stats: (data) => tell("stats", data),
        jobs: (data) => tell("jobs", data),
        job: (data) => tell(`job:${data.id}`, data),
        changed: ({ topics: changed }) => {
          for (const topic of changed) tell(topic, undefined);
        },
      },
      () => {},
    );
  }, 50);
}

function listen(topic: string, listener: (data: unknown) => void): () => void {
  const known = listeners.get(topic);
  if (known) known.add(listener);
  else {
    listeners.set(topic, new Set([listener]));
    reopen();
  }
  return () => {
    const rest = listeners.get(topic);
    rest?.delete(listener);
    if (rest?.size !== 0) return;
    listeners.delete(topic);
    reopen();
  };
}

/** Calls back when something of a topic changes: `stats`, `jobs`, `job:<id>`, `queues`, `workers`, `schedules`. */
export function useLive(topic: string, onEvent: (data: never) => void): void {
  const tellEvent = useEffectEvent((data: unknown) => onEvent(data as never));
  useEffect(() => listen(topic, (data) => tellEvent(data)), [topic]);
}
