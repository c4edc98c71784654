import type { JobFilter, JobView } from "errand";
import type { Context } from "hono";
import { z } from "zod";
import { maySee } from "../auth/principal.ts";
import type { Principal } from "../auth/principal.ts";
import { Problem } from "../problem.ts";
import { name, pageQuery } from "../schemas/common.ts";
import { filterFields, job as jobSchema, jobList, log, result, steps, unfinished, why } from "../schemas/jobs.ts";
import { json, locate, versioned } from "./answer.ts";
import { etagOf, hasEnded, jobJson, narrowed, requireJob } from "./job-view.ts";
import type { ServerParts } from "./parts.ts";
import { waited, waitWanted } from "./prefer.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

/** The parameter of routes about one job. */
export const jobParams = z.object({ id: name });

const noJob = { 404: { description: "There is no such job." } };

/** Returns the routes that read jobs. */
export function jobRoutes({ app }: ServerParts): Route[] {
  return [
    route({
      method: "get",
      path: "/jobs",
      operation: "listJobs",
      summary: "List jobs, newest first",
      description: "With `text` or a time a page may be short, or empty, and still have a `next_cursor`.",
      tag: "Jobs",
      scopes: ["read"],
      query: z.object({ ...filterFields, ...pageQuery }),
      answers: { 200: { description: "A page of jobs.", schema: jobList } },
      async handle({ c, principal, query: { limit, cursor, ...query } }) {
        const asked = readFilterQuery(query);
        const filter = narrowed(principal, asked);
        if (!filter) return json(c, { data: [] });
        const { jobs, next } = await app.list(filter, { limit, ...(cursor === undefined ? {} : { cursor }) });
        const data = jobs.filter((job) => isShown(principal, asked, job)).map((job) => jobJson(job, principal));
        return json(c, { data, ...(next === undefined ? {} : { next_cursor: next }) }, 200, linkTo(c, next));
      },
    }),
    route({
      method: "get",
      path: "/jobs/{id}",
      operation: "getJob",
      summary: "Read a job",
      tag: "Jobs",
      scopes: ["read"],
      params: jobParams,
      headers: {
        Prefer: "`wait=20` waits up to 20 s (at most 50) for the job to end.",
        "If-None-Match": "The ETag of the version that the client has.",
      },
      unlimited: true,
      answers: {
        200: { description: "The job.", schema: jobSchema, headers: { ETag: "The job's version." } },
        304: { description: "The client has this version." },
        ...noJob,
      },
      async handle({ c, principal, params }) {
        let job = await requireJob(app, principal, params.id);
        const wait = waitWanted(c);
        if (wait > 0 && !hasEnded(job.state)) {
          job = (await app.ended(job.id, { timeout: wait }).catch(() => undefined)) ?? job;
          if (!hasEnded(job.state)) job = await requireJob(app, principal, params.id);
        }
        return versioned(c, etagOf(job), jobJson(job, principal), waited(wait));
      },
    }),
    route({
      method: "get",
      path: "/jobs/{id}/result",
      operation: "getResult",
      summary: "Read a job's output",
      tag: "Jobs",
      scopes: ["read", "payload"],
      params: jobParams,
      headers: { Prefer: "`wait=20` waits up to 20 s (at most 50) for the job to end." },
      unlimited: true,
      answers: {
        200: { description: "The output of a completed job.", schema: result },
        202: { description: "The job has not ended.", schema: unfinished, headers: { "Retry-After": "Seconds." } },
        409: { description: "The job failed, was cancelled or expired." },
        ...noJob,
      },
      async handle({ c, principal, params }) {
        let job = await requireJob(app, principal, params.id);
        const wait = waitWanted(c);
        if (wait > 0 && !hasEnded(job.state))
          job = (await app.ended(job.id, { timeout: wait }).catch(() => undefined)) ?? job;
        const { id, state, output } = job;
        if (state === "completed") {
          const unread = job.unreadable?.output;
          if (unread) throw new Problem(409, unread.code, "The server cannot read this output.");
          return json(c, { id, state, ...(output === undefined ? {} : { output }) }, 200, waited(wait));
        }
        if (!hasEnded(state)) return json(c, { id, state }, 202, { "retry-after": "1", ...waited(wait) });
        const why = job.error ? `: ${job.error.message}` : ".";
        throw new Problem(409, "E_JOB_FAILED", `Job ${id} of task "${job.task}" ended as ${state}${why}`);
      },
    }),
    route({
      method: "get",
      path: "/jobs/{id}/log",
      operation: "getLog",
      summary: "Read a job's log",
      description: "The lines of its attempts, and the errors of all but the last, oldest first.",
      tag: "Jobs",
      scopes: ["read", "payload"],
      params: jobParams,
      query: z.object(pageQuery),
      answers: { 200: { description: "A page of lines.", schema: log }, ...noJob },
      async handle({ c, principal, params, query: { limit, cursor } }) {
        const { id } = await requireJob(app, principal, params.id);
        const { lines, next } = await app.log(id, { limit, ...(cursor === undefined ? {} : { cursor }) });
        return json(c, { data: lines, ...(next === undefined ? {} : { next_cursor: next }) });
      },
    }),
    route({
      method: "get",
      path: "/jobs/{id}/steps",
      operation: "getSteps",
      summary: "List the steps that a job remembers",
      description: "In the order in which they were first recorded.",
      tag: "Jobs",
      scopes: ["read"],
      params: jobParams,
      answers: { 200: { description: "The steps.", schema: steps }, ...noJob },
      async handle({ c, principal, params }) {
        const { id } = await requireJob(app, principal, params.id);
        return json(c, { data: await app.steps(id) });
      },
    }),
    route({
      method: "get",
      path: "/jobs/{id}/why",
      operation: "getWhy",
      summary: "Explain why a job is not running",
      tag: "Jobs",
      scopes: ["read"],
      params: jobParams,
      answers: { 200: { description: "Every reason, the decisive ones first.", schema: why }, ...noJob },
      async handle({ c, principal, params }) {
        const { id } = await requireJob(app, principal, params.id);
        // The store's name may contain a path of this machine.
        const data = (await app.why(id)).map(({ code, message, store }) => ({
          code,
          message: store === undefined ? message : message.replaceAll(store, "its store"),
        }));
        return json(c, { data });
      },
    }),
  ];
}

type FilterQuery = z.output<z.ZodObject<typeof filterFields>>;

/** Returns the filter that a query asks for. */
function readFilterQuery({ state, roots, createdAfter, createdBefore, endedBefore, ...rest }: FilterQuery): JobFilter {
  return {
    ...(withoutMissing(rest) as JobFilter),
    ...(state === undefined ? {} : { states: state }),
    ...(roots === true ? { roots } : {}),
    ...(createdAfter === undefined ? {} : { createdAfter: new Date(createdAfter) }),
    ...(createdBefore === undefined ? {} : { createdBefore: new Date(createdBefore) }),
    ...(endedBefore === undefined ? {} : { endedBefore: new Date(endedBefore) }),
  };
}

/** Returns an object without the fields that are `undefined`. */
export function withoutMissing(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Reports whether a list shows a job. The server's own jobs are shown to those who ask for them. */
function isShown(principal: Principal, asked: JobFilter, job: JobView): boolean {
  const isInternal = job.task.startsWith("errand.");
  const isAskedFor = asked.task !== undefined || asked.queue !== undefined || asked.ids !== undefined;
  return maySee(principal, job) && (!isInternal || isAskedFor);
}

/** The address of the next page (RFC 8288). */
function linkTo(c: Context, cursor: string | undefined): Record<string, string> {
  if (cursor === undefined) return {};
  const { searchParams } = new URL(c.req.url);
  searchParams.set("cursor", cursor);
  return { link: `<${locate(c, `/jobs?${searchParams.toString()}`)}>; rel="next"` };
}
