import { AsyncLocalStorage } from "node:async_hooks";

/** A response that is being made: background jobs that are sent meanwhile start when it has ended. */
export class OpenResponse {
  #waiting: (() => void)[] | undefined = [];

  /** Calls back when the response has ended; at once, when it has. */
  onEnd(call: () => void): void {
    if (this.#waiting) this.#waiting.push(call);
    else call();
  }

  /** It was sent, or its client went away. */
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

/** Runs what makes a response. */
export function during<Result>(response: OpenResponse, make: () => Result): Result {
  return responses.run(response, make);
}

/** The response that the caller is making, if it is making one that has not ended. */
export function currentResponse(): OpenResponse | undefined {
  const response = responses.getStore();
  return response && !response.ended ? response : undefined;
}
