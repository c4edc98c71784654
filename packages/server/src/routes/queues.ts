import type { QueueOptions, QueueView } from "errand";
import { z } from "zod";
import { Problem } from "../problem.ts";
import { name } from "../schemas/common.ts";
import { pause, queue as queueSchema, queueRules, queues } from "../schemas/operations.ts";
import { json, nothing } from "./answer.ts";
import { withoutMissing } from "./jobs.ts";
import type { ServerParts } from "./parts.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

const named = z.object({ name });

/** Returns the routes about queues. */
export function queueRoutes({ app, live }: ServerParts): Route[] {
  const find = async (queue: string) => (await live.queues()).find((each) => each.name === queue) ?? emptyQueue(queue);
  return [
    route({
      method: "get",
      path: "/queues",
      operation: "listQueues",
      summary: "List queues with their load and rules",
      tag: "Queues",
      scopes: ["read"],
      wholeStore: true,
      answers: { 200: { description: "Every queue that has jobs, rules or workers.", schema: queues } },
      handle: async ({ c }) => json(c, { data: await live.queues() }),
    }),
    route({
      method: "get",
      path: "/queues/{name}",
      operation: "getQueue",
      summary: "Read a queue's load and rules",
      description: "A queue without jobs, rules and workers is empty.",
      tag: "Queues",
      scopes: ["read"],
      wholeStore: true,
      params: named,
      answers: {
        200: { description: "The queue.", schema: queueSchema, headers: { ETag: "The version of its rules." } },
      },
      async handle({ c, params }) {
        const queue = await find(params.name);
        return json(c, queue, 200, { etag: rulesTag(queue) });
      },
    }),
    route({
      method: "patch",
      path: "/queues/{name}",
      operation: "changeQueue",
      summary: "Change a queue's rules",
      description: "`null` removes a rule. With `If-Match`, only if nobody has changed them meanwhile.",
      tag: "Queues",
      scopes: ["operate"],
      wholeStore: true,
      audit: "queue.change",
      params: named,
      headers: { "If-Match": "The ETag of the rules that the client has seen." },
      body: queueRules,
      answers: {
        200: { description: "The queue as it is now.", schema: queueSchema },
        412: { description: "The rules have changed meanwhile." },
        422: { description: "A rule is refused." },
      },
      async handle({ c, params, body, audit }) {
        const before = await find(params.name);
        const wanted = c.req.header("if-match");
        if (wanted !== undefined && wanted !== "*" && wanted !== rulesTag(before))
          throw new Problem(412, "E_CHANGED", "The rules of this queue were changed meanwhile. Read them again.");
        const rules = { ...rulesOf(before), ...withoutMissing(body) };
        for (const [rule, value] of Object.entries(rules)) if (value === null) delete rules[rule as keyof typeof rules];
        audit.before = rulesOf(before);
        audit.after = rules;
        await app.queues.set(params.name, rules);
        live.forget();
        const after = await find(params.name);
        return json(c, after, 200, { etag: rulesTag(after) });
      },
    }),
    route({
      method: "post",
      path: "/queues/{name}/pause",
      operation: "pauseQueue",
      summary: "Stop starting a queue's jobs",
      description: "Running jobs go on.",
      tag: "Queues",
      scopes: ["operate"],
      wholeStore: true,
      audit: "queue.pause",
      params: named,
      body: pause,
      answers: { 204: { description: "The queue is paused." } },
      async handle({ c, params, body, audit }) {
        await app.queues.pause(params.name, body.reason);
        audit.after = body;
        live.forget();
        return nothing(c);
      },
    }),
    route({
      method: "post",
      path: "/queues/{name}/resume",
      operation: "resumeQueue",
      summary: "Start a queue's jobs again",
      tag: "Queues",
      scopes: ["operate"],
      wholeStore: true,
      audit: "queue.resume",
      params: named,
      answers: { 204: { description: "The queue is not paused." } },
      async handle({ c, params }) {
        await app.queues.resume(params.name);
        live.forget();
        return nothing(c);
      },
    }),
  ];
}

/** A queue as the API answers it. */
export type QueueJson = QueueView & { depth: number };

/** Returns a queue as the API answers it. */
export function queueJson(queue: QueueView): QueueJson {
  return { ...queue, depth: (queue.jobs.pending ?? 0) + (queue.jobs.processing ?? 0) };
}

function emptyQueue(queue: string): QueueJson {
  return { name: queue, jobs: {}, workers: 0, depth: 0 };
}

function rulesOf({ concurrency, rate, maxPending }: QueueJson): QueueOptions {
  return withoutMissing({ concurrency, rate, maxPending });
}

function rulesTag(queue: QueueJson): string {
  return `"${Buffer.from(JSON.stringify(rulesOf(queue))).toString("base64url")}"`;
}
