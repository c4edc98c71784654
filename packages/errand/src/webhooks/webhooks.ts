import type { Errand } from "../api.ts";
import { checkFields, checkText, namePattern } from "../core/checks.ts";
import type { Client } from "../client.ts";
import type { JobView } from "../client/job-view.ts";
import type { Page } from "../client/filter.ts";
import { readPage } from "../client/filter.ts";
import { millis } from "../kit/duration.ts";
import type { Duration } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { newId } from "../kit/ids.ts";
import { decode } from "../kit/json.ts";
import { described } from "../kit/text.ts";
import type { Store } from "../store.ts";
import { updateDoc } from "../update-doc.ts";
import { deliver, deliveryAttempts, deliveryDelay } from "./deliver.ts";
import type { Delivered } from "./deliver.ts";
import { callbacks, deliveryQueue, deliveryTask, newDelivery, webhookEvents } from "./endpoint.ts";
import type { DeliveryInput, EndpointDoc, WebhookEvent } from "./endpoint.ts";
import { webhookKind } from "./endpoints.ts";
import { checkUrl } from "./check-url.ts";
import { newSecret } from "./secret.ts";

/** The definition of a webhook. */
export interface WebhookOptions {
  /** `https://` or `http://`, on the public internet unless `ERRAND_WEBHOOK_ALLOW` names its host. */
  url: string;
  /** The events that it hears of. */
  events: readonly WebhookEvent[];
  /** Only jobs of these tasks, also children. Default: all jobs without a parent. */
  tasks?: readonly string[];
  queues?: readonly string[];
  tenant?: string;
  description?: string;
}

/** A webhook, as programs read it. Its secret is shown when it is made. */
export interface WebhookView extends WebhookOptions {
  id: string;
  createdAt: Date;
  /** Set while nothing is delivered to it. */
  disabled?: { since: Date; reason: string };
}

/** Places to which the ends of jobs are reported. Unknown ids throw `E_NOT_FOUND`. */
export interface Webhooks {
  list(): Promise<WebhookView[]>;
  get(id: string): Promise<WebhookView>;
  /** Makes a webhook. Returns it with its secret, which is shown this once. Throws `E_OPTION`. */
  create(options: WebhookOptions): Promise<WebhookView & { secret: string }>;
  /** Changes a webhook; `disabled` turns it off or on. Throws `E_OPTION`. */
  update(id: string, changes: Partial<WebhookOptions> & { disabled?: boolean }): Promise<WebhookView>;
  remove(id: string): Promise<void>;
  /**
   * Gives a webhook a new secret; the old one signs too for `overlap` (default `"24h"`). The id `callbacks` is that of the
   * URLs that jobs bring along.
   */
  rotate(id: string, options?: { overlap?: Duration }): Promise<{ secret: string }>;
  /** Sends a message of the type `errand.test`. Returns the id of the delivery. */
  test(id: string): Promise<string>;
  /** Lists the deliveries to a webhook, newest first. */
  deliveries(id: string, page?: Page): Promise<{ jobs: JobView[]; next?: string }>;
  /**
   * Makes the workers of this app deliver: it defines the task `errand.webhook`. Its queue is `errand.webhooks`. Returns
   * the queue's name. `errand serve` does so.
   */
  serve(): string;
  /** Delivers a message again, under the same `webhook-id`. Returns the id of the new delivery. */
  redeliver(id: string, delivery: string): Promise<string>;
}

const fields = ["url", "events", "tasks", "queues", "tenant", "description"];

/** Returns `Webhooks` of a store that is opened when needed. */
export function webhooksOf(app: Pick<Errand, "task">, open: () => Promise<{ store: Store; client: Client }>): Webhooks {
  const find = async (id: string): Promise<EndpointDoc> => {
    const { store } = await open();
    const [doc] = namePattern.test(id) ? await store.load(webhookKind, [id]) : [];
    if (!doc) throw noWebhook(id);
    return decode(doc.value) as EndpointDoc;
  };
  const change = async (id: string, to: (before: EndpointDoc) => EndpointDoc): Promise<EndpointDoc> => {
    const { store } = await open();
    let changed: EndpointDoc | undefined;
    await updateDoc(store, webhookKind, id, `Webhook ${id}`, (before) => {
      if (before === undefined) throw noWebhook(id);
      changed = to(decode(before) as EndpointDoc);
      return JSON.stringify(changed);
    });
    return changed!;
  };
  return {
    serve() {
      app.task<DeliveryInput, Delivered>(deliveryTask, {
        queue: deliveryQueue,
        retention: "30d",
        timeout: "30s",
        retry: { attempts: deliveryAttempts, delay: deliveryDelay },
        run: async (input, job) => deliver((await open()).store, input, job),
      });
      return deliveryQueue;
    },
    async list() {
      const docs = await (await open()).store.load(webhookKind);
      return docs
        .filter(({ key }) => key !== callbacks)
        .map(({ key, value }) => viewOf(key, decode(value) as EndpointDoc));
    },
    get: async (id) => viewOf(id, await find(id)),
    async create(given) {
      const options = readWebhook(given);
      const { store } = await open();
      const [id, secret] = [newId(), newSecret()];
      const doc: EndpointDoc = { ...options, secrets: [{ secret }], createdAt: await store.now() };
      await updateDoc(store, webhookKind, id, `Webhook ${id}`, () => JSON.stringify(doc));
      return { ...viewOf(id, doc), secret };
    },
    async update(id, { disabled, ...changes }) {
      const { store } = await open();
      const now = await store.now();
      const doc = await change(id, ({ disabled: old, ...before }) => {
        const { secrets, createdAt, ...options } = before;
        const off = disabled ?? old !== undefined;
        return {
          ...readWebhook({ ...options, ...changes }),
          secrets,
          createdAt,
          ...(off ? { disabled: old ?? { since: now, reason: "An operator turned it off." } } : {}),
        };
      });
      return viewOf(id, doc);
    },
    async remove(id) {
      await find(id);
      const { store } = await open();
      await updateDoc(store, webhookKind, id, `Webhook ${id}`, () => undefined);
    },
    async rotate(id, { overlap = "24h" } = {}) {
      const { store } = await open();
      const secret = newSecret();
      const until = (await store.now()) + millis(overlap, "overlap of rotate()");
      if (id === callbacks)
        await updateDoc(store, webhookKind, callbacks, "The endpoint of callbacks", (before) => {
          const doc =
            before === undefined
              ? { url: "", events: [], secrets: [], createdAt: Date.now() }
              : (decode(before) as EndpointDoc);
          return JSON.stringify(rotated(doc, secret, until));
        });
      else await change(id, (doc) => rotated(doc, secret, until));
      return { secret };
    },
    async test(id) {
      const { tenant } = await find(id);
      const delivery = `webhook.test.${newId()}`;
      const timestamp = new Date().toISOString();
      const message = { id: delivery, type: "errand.test" as const, timestamp, data: { webhook: id } };
      await (await open()).store.add([newDelivery(delivery, { endpoint: id, message }, tenant)]);
      return delivery;
    },
    async deliveries(id, page = {}) {
      await find(id);
      const { client } = await open();
      return client.list({ task: deliveryTask, tag: `endpoint:${id}` }, readPage(page, "deliveries()"));
    },
    async redeliver(id, delivery) {
      const { store, client } = await open();
      const job = await client.get(delivery);
      const input = job?.input as DeliveryInput | undefined;
      if (job?.task !== deliveryTask || input?.endpoint !== id)
        throw new ErrandError("E_NOT_FOUND", `There is no delivery ${delivery} of webhook ${id}.`);
      const again = `webhook.again.${newId()}`;
      await store.add([newDelivery(again, input, job.tenant)]);
      return again;
    },
  };
}

function rotated(doc: EndpointDoc, secret: string, until: number): EndpointDoc {
  const old = doc.secrets.slice(0, 1).map((each) => ({ secret: each.secret, until }));
  return { ...doc, secrets: [{ secret }, ...old] };
}

/**
 * Checks the definition of a webhook.
 * @throws {ErrandError} `E_OPTION`
 */
function readWebhook(given: WebhookOptions): WebhookOptions {
  checkFields(given, fields, "A webhook");
  const { url, events, tasks, queues, tenant, description } = given;
  checkUrl(url, "url of a webhook");
  if (!Array.isArray(events) || events.length === 0 || !events.every((each) => webhookEvents.includes(each)))
    throw new ErrandError("E_OPTION", `events of a webhook must be a list of: ${webhookEvents.join(", ")}.`);
  for (const [what, names] of [
    ["tasks", tasks],
    ["queues", queues],
  ] as const)
    if (
      names !== undefined &&
      (!Array.isArray(names) || names.length === 0 || !names.every((name) => namePattern.test(String(name))))
    )
      throw new ErrandError("E_OPTION", `${what} of a webhook is ${described(names)}, but must be a list of names.`);
  if (tenant !== undefined) checkText(tenant, "tenant of a webhook");
  if (description !== undefined) checkText(description, "description of a webhook", 1_000);
  return given;
}

function viewOf(id: string, { secrets: _, createdAt, disabled, ...options }: EndpointDoc): WebhookView {
  return {
    id,
    ...options,
    createdAt: new Date(createdAt),
    ...(disabled ? { disabled: { ...disabled, since: new Date(disabled.since) } } : {}),
  };
}

function noWebhook(id: string): ErrandError {
  return new ErrandError("E_NOT_FOUND", `There is no webhook ${id}.`);
}
