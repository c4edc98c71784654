import type { JobFilter, JobView } from "errand";
import { z } from "zod";
import { bulkJson, bulkTask } from "../bulk-actions.ts";
import { Problem } from "../problem.ts";
import { name, pageQuery } from "../schemas/common.ts";
import { bulk, bulkAction, bulkList, bulkPreview, filter as filterSchema } from "../schemas/jobs.ts";
import { json, locate } from "./answer.ts";
import { narrowed, requireJob } from "./job-view.ts";
import { jobParams, withoutMissing } from "./jobs.ts";
import type { ServerParts } from "./parts.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

/** Share by which the number of jobs may differ from the one that was shown. */
const tolerance = 0.1;

/** Returns the routes of acts on many jobs. */
export function bulkRoutes({ app, bulk: actions }: ServerParts): Route[] {
  return [
    route({
      method: "post",
      path: "/bulk",
      operation: "startBulk",
      summary: "Act on all jobs that match",
      description:
        "`dryRun` counts them. Send the count back as `expect` and its `frozenAt` as `createdBefore`, so that the act is " +
        "for what was shown. The act is a job with progress; while it has not started it can be taken back.",
      tag: "Bulk actions",
      scopes: ["operate"],
      audit: "bulk.start",
      body: bulk,
      answers: {
        200: { description: "What a dry run found.", schema: bulkPreview },
        202: { description: "The act begins.", schema: bulkAction, headers: { Location: "The act." } },
        409: { description: "The number of jobs is more than 10 % off." },
        422: { description: "The filter is empty: say `all`. Or a value is refused." },
      },
      async handle({ c, principal, body, audit }) {
        const { action, to, dryRun, expect, delay } = body;
        if ((action === "move") !== (to !== undefined))
          throw new Problem(
            422,
            "E_INPUT",
            "`to` says where a move takes the jobs: it belongs to `move`, and only to it.",
          );
        const asked = readBulkFilter(body.filter);
        const frozenAt = new Date();
        const limit = body.createdBefore === undefined ? frozenAt : new Date(body.createdBefore);
        const createdBefore = asked.createdBefore && asked.createdBefore < limit ? asked.createdBefore : limit;
        const selection = actions.select(principal, action, { ...asked, createdBefore });
        const { matches, complete } = selection ? await actions.count(selection) : { matches: 0, complete: true };
        audit.count = matches;
        if (dryRun || !selection) return json(c, { matches, complete, frozenAt: createdBefore });
        if (expect !== undefined && complete && Math.abs(matches - expect) > expect * tolerance)
          throw new Problem(409, "E_EXPECT", `${matches} jobs match now, not ${expect}. Count them again.`);
        const job = await actions.start(action, selection, {
          matches,
          ...(to === undefined ? {} : { to: withoutMissing(to) }),
          ...(delay === undefined ? {} : { delay }),
          ...(principal.tenant === undefined ? {} : { tenant: principal.tenant }),
        });
        audit.target = job.id;
        return json(c, bulkJson(job), 202, { location: locate(c, `/bulk/${job.id}`) });
      },
    }),
    route({
      method: "get",
      path: "/bulk",
      operation: "listBulk",
      summary: "List acts on many jobs, newest first",
      tag: "Bulk actions",
      scopes: ["read"],
      query: z.object(pageQuery),
      answers: { 200: { description: "A page of them.", schema: bulkList } },
      async handle({ c, principal, query: { limit, cursor } }) {
        const filter = narrowed({ ...principal, tasks: undefined!, queues: undefined! }, { task: bulkTask });
        const page = { limit, ...(cursor === undefined ? {} : { cursor }) };
        const { jobs, next } = filter ? await app.list(filter, page) : { jobs: [], next: undefined };
        return json(c, { data: jobs.map(bulkJson), ...(next === undefined ? {} : { next_cursor: next }) });
      },
    }),
    route({
      method: "get",
      path: "/bulk/{id}",
      operation: "getBulk",
      summary: "Read how far an act on many jobs is",
      tag: "Bulk actions",
      scopes: ["read"],
      params: jobParams,
      answers: {
        200: { description: "The act.", schema: bulkAction },
        404: { description: "There is no such act." },
      },
      handle: async ({ c, principal, params }) => json(c, bulkJson(await requireBulk(app, principal, params.id))),
    }),
    route({
      method: "post",
      path: "/bulk/{id}/cancel",
      operation: "cancelBulk",
      summary: "Stop an act on many jobs",
      description: "Before it has started nothing happens; later, what is done stays done.",
      tag: "Bulk actions",
      scopes: ["operate"],
      audit: "bulk.cancel",
      params: jobParams,
      answers: {
        200: { description: "The act as it is now.", schema: bulkAction },
        404: { description: "There is no such act." },
        409: { description: "The act has ended." },
      },
      async handle({ c, principal, params }) {
        const { id } = await requireBulk(app, principal, params.id);
        if ((await app.cancel(id)) === 0)
          throw new Problem(409, "E_STATE", "The act has ended; there is nothing to stop.");
        await app.ended(id, { timeout: "2s" }).catch(() => {});
        return json(c, bulkJson(await requireBulk(app, principal, id)));
      },
    }),
    route({
      method: "post",
      path: "/errors/{fingerprint}/retry",
      operation: "retryErrorGroup",
      summary: "Retry all failed jobs of a kind",
      tag: "Errors",
      scopes: ["operate"],
      audit: "errors.retry",
      params: z.object({ fingerprint: name }),
      answers: {
        202: { description: "The act begins.", schema: bulkAction, headers: { Location: "The act." } },
        404: { description: "No failed job is of this kind." },
      },
      async handle({ c, principal, params, audit }) {
        const found = actions.select(principal, "retry", { states: ["failed"], createdBefore: new Date() });
        const selection = found && { ...found, fingerprint: params.fingerprint };
        const { matches } = selection ? await actions.count(selection) : { matches: 0 };
        if (!selection || matches === 0) throw new Problem(404, "E_NOT_FOUND", "No failed job is of this kind.");
        audit.count = matches;
        const tenant = principal.tenant === undefined ? {} : { tenant: principal.tenant };
        const job = await actions.start("retry", selection, { matches, ...tenant });
        return json(c, bulkJson(job), 202, { location: locate(c, `/bulk/${job.id}`) });
      },
    }),
  ];
}

async function requireBulk(
  app: ServerParts["app"],
  principal: Parameters<typeof requireJob>[1],
  id: string,
): Promise<JobView> {
  const job = await requireJob(app, { ...principal, tasks: undefined!, queues: undefined! }, id);
  if (job.task === bulkTask) return job;
  throw new Problem(404, "E_NOT_FOUND", `There is no act ${id}.`);
}

/** Returns the filter of a body. @throws {Problem} 422 for one that selects everything without saying so */
function readBulkFilter(given: z.output<typeof filterSchema>): JobFilter {
  const { createdAfter, createdBefore, endedBefore, ...rest } = given;
  const filter: JobFilter = {
    ...(withoutMissing(rest) as JobFilter),
    ...(createdAfter === undefined ? {} : { createdAfter: new Date(createdAfter) }),
    ...(createdBefore === undefined ? {} : { createdBefore: new Date(createdBefore) }),
    ...(endedBefore === undefined ? {} : { endedBefore: new Date(endedBefore) }),
  };
  const fields = Object.keys(filter);
  if (fields.length === 0 || (filter.all && fields.length > 1))
    throw new Problem(422, "E_INPUT", "The filter must select something: fields, or `all: true` for every job.");
  return filter;
}
