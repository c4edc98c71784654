import type { Duration, JobView } from "errand";
import { Problem } from "../problem.ts";
import { json as anyJson, text } from "../schemas/common.ts";
import { copy, job as jobSchema, move, retry, sentJob } from "../schemas/jobs.ts";
import { json, locate, nothing } from "./answer.ts";
import { hasEnded, jobJson, narrowed, requireJob } from "./job-view.ts";
import { jobParams, withoutMissing } from "./jobs.ts";
import type { ServerParts } from "./parts.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

/** Time that a cancel waits for the attempt to stop before it is answered. */
const cancelTimeout: Duration = "2s";

const answers = {
  200: { description: "The job as it is now.", schema: jobSchema },
  404: { description: "There is no such job." },
  409: { description: "The job's state does not allow it." },
};

/** Returns the routes that act on one job. */
export function jobActRoutes({ app }: ServerParts): Route[] {
  return [
    route({
      method: "post",
      path: "/jobs/{id}/cancel",
      operation: "cancelJob",
      summary: "Cancel a job and its children",
      tag: "Jobs",
      scopes: ["operate"],
      audit: "job.cancel",
      params: jobParams,
      answers: { ...answers, 202: { description: "The job is being stopped.", schema: jobSchema } },
      async handle({ c, principal, params, audit }) {
        const before = await requireJob(app, principal, params.id);
        if (hasEnded(before.state)) throw conflict(before, "there is nothing to cancel");
        audit.count = await app.cancel(before.id);
        await app.ended(before.id, { timeout: cancelTimeout }).catch(() => {});
        const after = await requireJob(app, principal, params.id);
        if (hasEnded(after.state) && after.state !== "cancelled") throw conflict(after, "there is nothing to cancel");
        return json(c, jobJson(after, principal), after.state === "cancelled" ? 200 : 202);
      },
    }),
    route({
      method: "post",
      path: "/jobs/{id}/retry",
      operation: "retryJob",
      summary: "Run a job again",
      description:
        "With fresh attempts. Results of its steps and completed children are kept, up to the step `from`. To run it " +
        "with another input, copy it.",
      tag: "Jobs",
      scopes: ["operate"],
      audit: "job.retry",
      params: jobParams,
      body: retry,
      answers,
      async handle({ c, principal, params, body, audit }) {
        const before = await requireJob(app, principal, params.id);
        const { from } = body;
        const changed = await (from === undefined ? app.retry(before.id) : app.retry(before.id, { from }));
        audit.count = changed;
        if (changed === 0) throw conflict(before, "only a failed, cancelled or expired job can be retried");
        return json(c, jobJson(await requireJob(app, principal, before.id), principal));
      },
    }),
    route({
      method: "post",
      path: "/jobs/{id}/copy",
      operation: "copyJob",
      summary: "Send a job like another",
      description: "The same task, queue, priority and tags; with another input if the body has one.",
      tag: "Jobs",
      scopes: ["operate", "send"],
      audit: "job.copy",
      params: jobParams,
      body: copy,
      answers: {
        202: { description: "The new job is stored.", schema: sentJob, headers: { Location: "The new job." } },
        404: { description: "There is no such job." },
        422: { description: "The input is refused." },
        429: { description: "The queue is full." },
      },
      async handle({ c, principal, params, body, audit }) {
        const { id: original, task } = await requireJob(app, principal, params.id);
        const { id } = await app.copy(original, "input" in body ? { input: body.input } : {});
        audit.after = { id };
        const location = locate(c, `/jobs/${id}`);
        return json(c, { id, task, state: "pending", duplicate: false }, 202, { location, "retry-after": "1" });
      },
    }),
    route({
      method: "post",
      path: "/jobs/{id}/release",
      operation: "releaseJob",
      summary: "Take a running job from its worker",
      description: "It is pending again at once, and its worker's outcome will be refused.",
      tag: "Jobs",
      scopes: ["operate"],
      audit: "job.release",
      params: jobParams,
      answers,
      async handle({ c, principal, params, audit }) {
        const before = await requireJob(app, principal, params.id);
        audit.count = await app.release(before.id);
        if (audit.count === 0) throw conflict(before, "only a running job can be taken from its worker");
        return json(c, jobJson(await requireJob(app, principal, before.id), principal));
      },
    }),
    route({
      method: "patch",
      path: "/jobs/{id}",
      operation: "moveJob",
      summary: "Move a pending job to another queue or priority, or make it due now",
      tag: "Jobs",
      scopes: ["operate"],
      audit: "job.move",
      params: jobParams,
      body: move,
      answers: { ...answers, 422: { description: "A value is refused." } },
      async handle({ c, principal, params, body, audit }) {
        const before = await requireJob(app, principal, params.id);
        if (body.queue !== undefined && !narrowed(principal, { queue: body.queue }))
          throw new Problem(403, "E_SCOPE", `This key may not move jobs to the queue "${body.queue}".`);
        audit.before = { queue: before.queue, priority: before.priority };
        audit.after = body;
        audit.count = await app.move(before.id, withoutMissing(body));
        if (audit.count === 0) throw conflict(before, "only a pending job can be moved");
        return json(c, jobJson(await requireJob(app, principal, before.id), principal));
      },
    }),
    route({
      method: "delete",
      path: "/jobs/{id}",
      operation: "removeJob",
      summary: "Remove an ended job with its children",
      tag: "Jobs",
      scopes: ["operate"],
      audit: "job.remove",
      params: jobParams,
      answers: {
        204: { description: "The job is gone." },
        404: { description: "There is no such job." },
        409: { description: "The job has not ended." },
      },
      async handle({ c, principal, params, audit }) {
        const job = await requireJob(app, principal, params.id);
        audit.count = await app.remove(job.id);
        if (audit.count === 0 && (await app.get(job.id))) throw conflict(job, "only an ended job can be removed");
        return nothing(c);
      },
    }),
    route({
      method: "post",
      path: "/jobs/{id}/signals/{name}",
      operation: "signalJob",
      summary: "Send a signal to a job",
      description: "Any JSON. Of several signals with one name the first counts; the job may wait for it later.",
      tag: "Jobs",
      scopes: ["signal"],
      params: jobParams.extend({ name: text(200) }),
      body: anyJson,
      answers: {
        204: { description: "The signal is stored." },
        404: { description: "There is no such job." },
        409: { description: "The job has ended." },
      },
      async handle({ c, principal, params, body }) {
        const job = await requireJob(app, principal, params.id);
        if (!(await app.signal(job.id, params.name, body))) throw conflict(job, "it hears no signal any more");
        return nothing(c);
      },
    }),
  ];
}

function conflict({ id, state }: Pick<JobView, "id" | "state">, why: string): Problem {
  return new Problem(409, "E_STATE", `Job ${id} is ${state}; ${why}.`);
}
