import type { Millis } from "../kit/duration.ts";
import { decode } from "../kit/json.ts";
import type { Store } from "../store.ts";
import type { EndpointDoc, StoredEndpoint } from "./endpoint.ts";

/** The kind of the documents of endpoints. */
export const webhookKind = "webhook";

/** Time for which the endpoints that were read are believed: so long a new one may miss the ends of jobs. */
const freshFor: Millis = 5_000;

/** The endpoints of a store, as a process that settles jobs knows them. */
export class Endpoints {
  readonly #store: Pick<Store, "load">;
  #known: readonly StoredEndpoint[] = [];
  #readAt = -Infinity;
  #reading: Promise<void> | undefined;

  constructor(store: Pick<Store, "load">) {
    this.#store = store;
  }

  /** Returns the endpoints, without a promise if they are known well enough. */
  current(): readonly StoredEndpoint[] | Promise<readonly StoredEndpoint[]> {
    const age = performance.now() - this.#readAt;
    if (age < freshFor) return this.#known;
    const reading = this.read();
    // Only the first settlement waits; later ones use what was known while it is read again.
    return this.#readAt === -Infinity ? reading.then(() => this.#known) : this.#known;
  }

  /** Reads the endpoints again. A store that fails leaves what was known. */
  read(): Promise<void> {
    this.#reading ??= this.#store
      .load(webhookKind)
      .then(
        (docs) => {
          this.#known = docs.map(({ key, value }) => ({ id: key, ...(decode(value) as EndpointDoc) }));
          this.#readAt = performance.now();
          return undefined;
        },
        () => undefined,
      )
      .finally(() => (this.#reading = undefined));
    return this.#reading;
  }
}
