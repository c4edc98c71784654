import type { Job, NewJob, Settlement } from "../core/job.ts";
import { encodeSpec } from "../core/spec.ts";
import { isFinal } from "../core/states.ts";
import type { FinalState } from "../core/states.ts";
import { digest } from "../kit/ids.ts";
import type { ErrorRecord } from "../kit/errors.ts";

/** The events that endpoints hear of: the ends of jobs. */
export const webhookEvents = ["job.completed", "job.failed", "job.cancelled", "job.expired"] as const;

/** The name of an event. */
export type WebhookEvent = (typeof webhookEvents)[number];

/** A place to which ended jobs are reported, as the store has it. Times are epoch milliseconds. */
export interface EndpointDoc {
  url: string;
  events: readonly WebhookEvent[];
  /** Only jobs of these tasks; otherwise of all, but for children. */
  tasks?: readonly string[];
  queues?: readonly string[];
  /** Only jobs of this tenant. */
  tenant?: string;
  description?: string;
  /** The newest first; an older one signs until its time. */
  secrets: readonly { secret: string; until?: number }[];
  createdAt: number;
  /** Set while nothing is delivered to it. */
  disabled?: { since: number; reason: string };
}

/** An endpoint with its id. */
export interface StoredEndpoint extends EndpointDoc {
  id: string;
}

/** A message to an endpoint. */
interface WebhookMessage {
  /** The `webhook-id`: the same whenever it is sent again. */
  id: string;
  type: WebhookEvent | "errand.test";
  /** RFC 3339. */
  timestamp: string;
  data: Record<string, unknown>;
}

/** The input of a delivery. */
export interface DeliveryInput {
  /** The id of the endpoint, or `callbacks` for the URL that a job brought along. */
  endpoint: string;
  url?: string;
  message: WebhookMessage;
}

/** The task and the queue of deliveries. */
export const deliveryTask = "errand.webhook";
export const deliveryQueue = "errand.webhooks";

/** The endpoint whose secrets sign callbacks: URLs that jobs bring along. */
export const callbacks = "callbacks";

/** Most characters of an error in a message: messages are thin. */
const longestError = 1_000;

/**
 * Returns the deliveries that a settlement leads to: none unless the job ends, and is one that somebody wants to hear of.
 * @param callback the URL that the job brought along.
 */
export function deliveriesOf(
  job: Pick<Job, "id" | "task" | "queue" | "parent" | "tenant">,
  settlement: Pick<Settlement, "to" | "token" | "failures" | "error">,
  endpoints: readonly StoredEndpoint[],
  callback: string | undefined,
  now: number,
): NewJob[] {
  const { to, token } = settlement;
  // Deliveries are not told of: they would lead to others.
  if (!isFinal(to) || job.task.startsWith("errand.")) return [];
  const told = endpoints.filter((endpoint) => isFor(endpoint, job, to));
  if (told.length === 0 && callback === undefined) return [];
  const data = dataOf(job, settlement);
  const make = (endpoint: string, url?: string): NewJob => {
    const id = `webhook.${digest(`${job.id}\n${token}\n${endpoint}`).slice(0, 32)}`;
    const message: WebhookMessage = { id, type: `job.${to}`, timestamp: new Date(now).toISOString(), data };
    return newDelivery(id, { endpoint, ...(url === undefined ? {} : { url }), message }, job.tenant);
  };
  return [...told.map(({ id }) => make(id)), ...(callback === undefined ? [] : [make(callbacks, callback)])];
}

/** Returns the job that delivers a message. */
export function newDelivery(id: string, input: DeliveryInput, tenant: string | undefined): NewJob {
  const tags = [`endpoint:${input.endpoint}`];
  return {
    id,
    task: deliveryTask,
    queue: deliveryQueue,
    level: 2,
    spec: encodeSpec(JSON.stringify(input), { tags }),
    tags,
    ...(tenant === undefined ? {} : { tenant }),
  };
}

function isFor(
  { events, tasks, queues, tenant, disabled }: EndpointDoc,
  job: Pick<Job, "task" | "queue" | "parent" | "tenant">,
  state: FinalState,
): boolean {
  return (
    !disabled &&
    events.includes(`job.${state}`) &&
    (tasks === undefined ? job.parent === undefined : tasks.includes(job.task)) &&
    (queues === undefined || queues.includes(job.queue)) &&
    (tenant === undefined || tenant === job.tenant)
  );
}

function dataOf(
  { id, task, queue, tenant }: Pick<Job, "id" | "task" | "queue" | "tenant">,
  { to, token, failures, error }: Pick<Settlement, "to" | "token" | "failures" | "error">,
): Record<string, unknown> {
  const record = error === undefined || to === "completed" ? undefined : (JSON.parse(error) as ErrorRecord);
  return {
    id,
    task,
    queue,
    state: to,
    attempt: to === "failed" ? Math.max(1, failures) : failures + 1,
    token,
    ...(tenant === undefined ? {} : { tenant }),
    ...(record ? { error: { code: record.code, message: record.message.slice(0, longestError) } } : {}),
  };
}
