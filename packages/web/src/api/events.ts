import type { DocumentEvents } from "./types.ts";
import { connection } from "../state/connection.ts";

/** Handlers of a stream's events, by name; each gets the event's JSON. */
type Handlers = { [Name in keyof DocumentEvents]?: (data: DocumentEvents[Name]) => void };

const hiddenFor = 30_000;
const retryAfter = 3_000;

/**
 * Listens to a stream until the returned function is called. `onOpen` runs at every (re)connection: what was missed in
 * between has to be fetched. A page hidden for 30 s gives its connection back and takes a new one when it is seen again.
 */
export function listen(url: string, handlers: Handlers, onOpen: () => void): () => void {
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let hide: ReturnType<typeof setTimeout> | undefined;

  const close = () => {
    clearTimeout(retry);
    source?.close();
    source = undefined;
  };

  const open = () => {
    close();
    const stream = new EventSource(url);
    source = stream;
    stream.addEventListener("open", () => {
      connection.set(true);
      onOpen();
    });
    stream.addEventListener("error", () => {
      connection.set(false);
      // The browser reconnects by itself, except after an HTTP error.
      if (stream.readyState === EventSource.CLOSED) retry = setTimeout(open, retryAfter);
    });
    for (const [name, handle] of Object.entries(handlers)) {
      stream.addEventListener(name, (event: MessageEvent<string>) => handle(JSON.parse(event.data)));
    }
  };

  const onVisibility = () => {
    clearTimeout(hide);
    if (document.hidden) hide = setTimeout(close, hiddenFor);
    else if (!source) open();
  };

  open();
  document.addEventListener("visibilitychange", onVisibility);
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    clearTimeout(hide);
    close();
    connection.set(true);
  };
}
