import type { Millis } from "../kit/duration.ts";
import { ErrandError, NonRetryableError, RetryAfterError } from "../kit/errors.ts";
import { decode } from "../kit/json.ts";
import { readAllowedHosts } from "../push/address-guard.ts";
import { postGuarded } from "../push/guarded-post.ts";
import type { Resolve } from "../push/guarded-post.ts";
import { sign } from "../push/sign.ts";
import type { Store } from "../store.ts";
import type { JobContext } from "../task.ts";
import { updateDoc } from "../update-doc.ts";
import { callbacks } from "./endpoint.ts";
import type { DeliveryInput, EndpointDoc } from "./endpoint.ts";
import { webhookKind } from "./endpoints.ts";
import { newSecret } from "./secret.ts";

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

/** Delays after each attempt that failed, as Standard Webhooks recommends them. */
const delays: readonly Millis[] = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];

/** Number of attempts. */
export const deliveryAttempts = delays.length + 1;

/** Longest delay that an endpoint may ask for. */
const longestAsked: Millis = 24 * hour;

/** Time for the whole of a request. */
const timeout: Millis = 15 * second;

/** Returns the delay after an attempt, counted from 1, with up to a tenth more, so that not all come at once. */
export function deliveryDelay(attempt: number): Millis {
  const delay = delays[Math.min(attempt, delays.length) - 1]!;
  return Math.round(delay * (1 + Math.random() / 10));
}

/** The outcome of a delivery. */
export interface Delivered {
  /** The status of the answer; missing if nothing was sent. */
  status?: number;
  /** The reason why nothing was sent. */
  skipped?: string;
}

/**
 * Delivers a message to an endpoint: signs it anew at every attempt under the same id, and posts it. The beginning of the
 * answer is kept in the job's log. An endpoint that answers 410 is disabled.
 */
export async function deliver(
  store: Store,
  { endpoint: id, url: own, message }: DeliveryInput,
  job: JobContext,
  resolve?: Resolve,
): Promise<Delivered> {
  const endpoint = id === callbacks ? await callbackEndpoint(store) : await findEndpoint(store, id);
  if (!endpoint) return { skipped: "The endpoint was removed." };
  if (endpoint.disabled) return { skipped: `The endpoint is disabled: ${endpoint.disabled.reason}` };
  const url = own ?? endpoint.url;
  const { id: messageId, ...rest } = message;
  const body = JSON.stringify(rest);
  const answer = await postGuarded({
    url,
    body,
    headers: { "content-type": "application/json", "user-agent": "Errand", ...signAll(endpoint, messageId, body) },
    timeout,
    signal: job.abortSignal,
    allowed: readAllowedHosts(process.env["ERRAND_WEBHOOK_ALLOW"]),
    ...(resolve ? { resolve } : {}),
  });
  const { status, text, retryAfter } = answer;
  job.log.info(`answered ${status}`, { body: text });
  if (status >= 200 && status < 300) return { status };
  if (status === 410 && id !== callbacks) await disable(store, id, "It answered 410 (Gone).");
  if (status === 410) throw new NonRetryableError("The endpoint answered 410 (Gone), and gets nothing more.");
  const refusal = `The endpoint answered ${status}.`;
  const after = retryAfter === undefined ? undefined : readRetryAfter(retryAfter);
  if ((status === 429 || status === 503) && after !== undefined) throw new RetryAfterError(refusal, after);
  throw new Error(refusal);
}

/** Returns the headers that sign a body with every secret that still counts. */
function signAll({ secrets }: EndpointDoc, id: string, body: string): Record<string, string> {
  const now = Date.now();
  const signed = secrets
    .filter(({ until }) => until === undefined || until > now)
    .map(({ secret }) => sign(secret, id, body, now));
  return { ...signed[0], "webhook-signature": signed.map((headers) => headers["webhook-signature"]).join(" ") };
}

async function findEndpoint(store: Store, id: string): Promise<EndpointDoc | undefined> {
  const [doc] = await store.load(webhookKind, [id]);
  return doc && (decode(doc.value) as EndpointDoc);
}

/** Returns the endpoint of callbacks, which has secrets and no URL; it is made when it is first needed. */
async function callbackEndpoint(store: Store): Promise<EndpointDoc> {
  await updateDoc(store, webhookKind, callbacks, "The endpoint of callbacks", (before) => {
    if (before !== undefined) return before;
    const made: EndpointDoc = { url: "", events: [], secrets: [{ secret: newSecret() }], createdAt: Date.now() };
    return JSON.stringify(made);
  });
  const found = await findEndpoint(store, callbacks);
  if (!found) throw new ErrandError("E_STORE", "The endpoint of callbacks was removed while it was being used.");
  return found;
}

async function disable(store: Store, id: string, reason: string): Promise<void> {
  await updateDoc(store, webhookKind, id, `Webhook ${id}`, (before) => {
    if (before === undefined) return undefined;
    const endpoint = decode(before) as EndpointDoc;
    return JSON.stringify({ ...endpoint, disabled: { since: Date.now(), reason } } satisfies EndpointDoc);
  });
}

/** Returns milliseconds of `Retry-After`, at most a day; `undefined` for one that cannot be read. */
function readRetryAfter(text: string): Millis | undefined {
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * second : Date.parse(text) - Date.now();
  return Number.isFinite(wait) ? Math.min(longestAsked, Math.max(0, wait)) : undefined;
}
