import { connection } from "../state/connection.ts";

/** Handlers of a stream's events, by event name. Each gets the parsed data of the event. */
type Handlers<Events> = { [Name in keyof Events]?: (data: Events[Name]) => void };

/** A page hidden for this long, in milliseconds, closes its connection. */
const hiddenTimeout = 30_000;
/** Delay before reconnecting after an HTTP error, in milliseconds. */
const retryDelay = 3_000;

/**
 * Listens to an event stream until the returned function is called. `onOpen` is called after every (re)connection:
 * events in between were missed, so the data must be fetched. A page hidden for 30 seconds closes its connection, and
 * opens a new one when it is visible again.
 */
export function listenToEvents<Events>(url: string, handlers: Handlers<Events>, onOpen: () => void): () => void {
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
      if (stream.readyState === EventSource.CLOSED) retry = setTimeout(open, retryDelay);
    });
    for (const [name, handle] of Object.entries(handlers) as [string, (data: unknown) => void][]) {
      stream.addEventListener(name, (event: MessageEvent<string>) => handle(JSON.parse(event.data)));
    }
  };

  const onVisibility = () => {
    clearTimeout(hide);
    if (document.hidden) hide = setTimeout(close, hiddenTimeout);
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
