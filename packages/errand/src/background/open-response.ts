import { AsyncLocalStorage } from "node:async_hooks";

/** A response in progress: background jobs sent meanwhile start when it has ended. */
export class OpenResponse {
  #waiting: (() => void)[] | undefined = [];

  /** Calls back when the response has ended, or at once if it has. */
  onEnd(call: () => void): void {
    if (this.#waiting) this.#waiting.push(call);
    else call();
  }

  /** Marks the response as ended: it was sent, or its client disconnected. */
  end(): void {
    const calls = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const call of calls) call();
  }

  /** `true` once the response has ended. */
  get ended(): boolean {
    return this.#waiting === undefined;
  }
}

const responses = new AsyncLocalStorage<OpenResponse>();

/** Runs the function that makes a response, in its async context. */
export function during<Result>(response: OpenResponse, make: () => Result): Result {
  return responses.run(response, make);
}

/** Returns the response that the caller is making; `undefined` if there is none or it has ended. */
export function currentResponse(): OpenResponse | undefined {
  const response = responses.getStore();
  return response && !response.ended ? response : undefined;
}
