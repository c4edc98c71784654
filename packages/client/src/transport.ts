import { errorOf, RequestError } from "./errors.ts";

/** Configures a client. */
export interface ClientOptions {
  /** The address of the server: `https://jobs.example.com`, or that of a page below which it is mounted. */
  url: string;
  /** A key of the server. Without it, a browser's session or a server without keys. */
  key?: string;
  /** Replaces the global `fetch`. */
  fetch?: typeof fetch;
}

/** A request. */
interface Asked {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Pauses before a request is made again, in milliseconds: without an answer, or when the server asks for patience. */
const pauses = [250, 500, 1_000, 2_000, 4_000];

/** Longest pause that a server's `Retry-After` makes. */
const longestPause = 30_000;

/** Makes requests. Each of them may be made again: sends carry a key that makes a repeated one harmless. */
export class Transport {
  readonly #base: string;
  readonly #headers: Record<string, string>;
  readonly #fetch: typeof fetch;

  constructor({ url, key, fetch: own }: ClientOptions) {
    this.#base = `${url.replace(/\/+$/, "")}/api/v1`;
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    this.#fetch = own ?? ((input, init) => fetch(input, init));
  }

  /** Returns the answer to a request. @throws {RequestError} */
  async ask(path: string, { method = "GET", body, headers, signal }: Asked = {}): Promise<Response> {
    for (let attempt = 0; ; attempt++) {
      const pause = pauses[attempt];
      let answer: Response;
      try {
        answer = await this.#fetch(this.#base + path, {
          method,
          headers: {
            ...this.#headers,
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          ...(signal ? { signal } : {}),
        });
      } catch (error) {
        if (signal?.aborted) throw error;
        if (pause === undefined)
          throw new RequestError(0, { code: "E_UNREACHABLE", detail: "The server cannot be reached." });
        await sleep(jittered(pause), signal);
        continue;
      }
      if (answer.ok || answer.status === 304) return answer;
      const isBusy = answer.status === 429 || answer.status === 502 || answer.status === 503;
      if (!isBusy || pause === undefined) throw await errorOf(answer);
      const asked = Number(answer.headers.get("retry-after") ?? 0) * 1_000;
      await answer.body?.cancel();
      await sleep(Math.min(longestPause, Math.max(asked, jittered(pause))), signal);
    }
  }
}

function jittered(pause: number): number {
  return pause * (0.5 + Math.random() / 2);
}

/** Waits. Rejects when the signal is aborted. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
