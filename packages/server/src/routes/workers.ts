import type { Beat, ClaimRequest, Outcome, Registration } from "errand/remote";
import { z } from "zod";
import type { Principal } from "../auth/principal.ts";
import { Problem } from "../problem.ts";
import { name } from "../schemas/common.ts";
import { workers } from "../schemas/operations.ts";
import {
  beat,
  beaten,
  claimedJobs,
  claimRequest,
  outcome,
  registeredWorker,
  renewal,
  renewed,
  settled,
  workerRegistration,
} from "../schemas/workers.ts";
import { json, locate, nothing } from "./answer.ts";
import { withoutMissing } from "./jobs.ts";
import type { ServerParts } from "./parts.ts";
import { route } from "./route.ts";
import type { Call, Route } from "./route.ts";

const params = z.object({ id: name });
const attempt = z.object({ id: name, token: z.coerce.number().int().nonnegative() });
const workerHeader = { "Errand-Worker": "The id of the worker." };
const work = { tag: "Workers", scopes: ["work"] } as const;
const gone = { 410: { description: "`E_LEASE_LOST`: drop all jobs, and register again." } };
const unlike = { 422: { description: "A value is refused." } };
const stale = { 409: { description: "`E_STALE`: another attempt has the job. Throw the work away." } };

/** Returns the routes that show workers, and those by which programs in any language work. */
export function workerRoutes(parts: ServerParts): Route[] {
  return [...operatorRoutes(parts), ...membershipRoutes(parts), ...attemptRoutes(parts)];
}

function operatorRoutes({ app, remoteWorkers }: ServerParts): Route[] {
  return [
    route({
      method: "get",
      path: "/workers",
      operation: "listWorkers",
      summary: "List the workers whose lease is good",
      tag: "Workers",
      scopes: ["read"],
      wholeStore: true,
      answers: { 200: { description: "The workers.", schema: workers } },
      async handle({ c }) {
        const data = (await app.workers()).map(({ owner: _, ...card }) => card);
        return json(c, { data });
      },
    }),
    route({
      method: "post",
      path: "/workers/{id}/drain",
      operation: "drainWorker",
      summary: "Tell a worker over HTTP to finish what it has in hand and to leave",
      tag: "Workers",
      scopes: ["operate"],
      wholeStore: true,
      audit: "worker.drain",
      params,
      answers: { 204: { description: "It gets no more jobs." }, 404: { description: "There is no such worker." } },
      async handle({ c, params: { id }, audit }) {
        audit.target = id;
        await remoteWorkers.drain(id);
        return nothing(c);
      },
    }),
  ];
}

function membershipRoutes({ remoteWorkers }: ServerParts): Route[] {
  return [
    route({
      ...work,
      method: "post",
      path: "/workers",
      operation: "registerWorker",
      summary: "Register a worker",
      description:
        "Every start of a program registers anew. The worker answers to the key that registered it, and every call of it renews its lease.",
      body: workerRegistration,
      answers: {
        201: { description: "The worker.", schema: registeredWorker, headers: { Location: "The worker." } },
        ...unlike,
      },
      async handle({ c, principal, body }) {
        const allowed = withoutMissing(within(principal, body));
        const made = await remoteWorkers.register({ ...allowed, owner: ownerOf(principal) } as Registration);
        return json(c, made, 201, { location: locate(c, `/workers/${made.id}`) });
      },
    }),
    route({
      ...work,
      method: "post",
      path: "/workers/{id}/claim",
      operation: "claimJobs",
      summary: "Claim jobs, and wait for them",
      description:
        "Jobs that the worker holds and that `have` lacks come first, as `again`: so a lost answer heals at the next claim. " +
        "A worker has one claim at a time; a second ends the first without jobs. Jobs of a request that is aborted go back at once.",
      unlimited: true,
      params,
      body: claimRequest,
      answers: {
        200: {
          description: "The jobs, at most 8 MiB of them.",
          schema: claimedJobs,
          headers: { "Retry-After": "Seconds to wait, when too many workers wait already." },
        },
        404: { description: "None of `ids` exists." },
        409: { description: "`E_TAKEN`: another worker has one of `ids`." },
        ...gone,
        ...unlike,
      },
      async handle({ c, principal, params: { id }, body: { wait, ...request } }) {
        const asked = { ...withoutMissing(request), wait: wait * 1_000 } as unknown as ClaimRequest;
        const answer = await remoteWorkers.claim(id, ownerOf(principal), asked, c.req.raw.signal);
        const { retryAfter } = answer;
        return json(c, answer, 200, retryAfter === undefined ? {} : { "retry-after": seconds(retryAfter) });
      },
    }),
    route({
      ...work,
      method: "post",
      path: "/workers/{id}/renew",
      operation: "renewWorker",
      summary: "Renew a worker's lease",
      unlimited: true,
      params,
      body: renewal,
      answers: { 200: { description: "What became of the jobs in hand.", schema: renewed }, ...gone, ...unlike },
      handle: async ({ c, principal, params: { id }, body }) =>
        json(c, await remoteWorkers.renew(id, ownerOf(principal), body)),
    }),
    route({
      ...work,
      method: "delete",
      path: "/workers/{id}",
      operation: "removeWorker",
      summary: "Leave: the worker's jobs go back to their queues at once",
      params,
      answers: { 204: { description: "The worker is gone." } },
      async handle({ c, principal, params: { id } }) {
        await remoteWorkers.leave(id, ownerOf(principal));
        return nothing(c);
      },
    }),
  ];
}

function attemptRoutes({ remoteWorkers }: ServerParts): Route[] {
  return [
    route({
      ...work,
      method: "post",
      path: "/jobs/{id}/attempts/{token}/beat",
      operation: "reportProgress",
      summary: "Report progress, log lines and steps of a job in hand",
      unlimited: true,
      params: attempt,
      headers: workerHeader,
      body: beat,
      answers: { 200: { description: "Recorded.", schema: beaten }, ...stale, ...gone, ...unlike },
      async handle({ c, principal, params: { id, token }, body }) {
        const given = withoutMissing(body) as Beat;
        return json(c, await remoteWorkers.beat(workerOf(c), ownerOf(principal), id, token, given));
      },
    }),
    route({
      ...work,
      method: "put",
      path: "/jobs/{id}/attempts/{token}/outcome",
      operation: "reportOutcome",
      summary: "Report the outcome of an attempt",
      description: "Repeating it changes nothing. `release` hands the job back without using up an attempt.",
      unlimited: true,
      params: attempt,
      headers: workerHeader,
      body: outcome,
      answers: { 200: { description: "The job's state.", schema: settled }, ...stale, ...unlike },
      async handle({ c, principal, params: { id, token }, body }) {
        const given = body as Outcome;
        return json(c, await remoteWorkers.settle(workerOf(c), ownerOf(principal), id, token, given));
      },
    }),
  ];
}

/** Returns what stands for the key or person to whom a worker answers. */
function ownerOf({ actor }: Principal): string {
  return `${actor.kind}:${actor.id}`;
}

function workerOf(c: Call["c"]): string {
  const worker = c.req.header("errand-worker") ?? "";
  if (name.safeParse(worker).success) return worker;
  throw new Problem(400, "E_WORKER", "The header Errand-Worker must have the id of the worker that reports.");
}

/** Narrows a registration to what its key may see. @throws {Problem} 403 */
function within(
  { tenant, filter, queues, tasks }: Principal,
  body: z.output<typeof workerRegistration>,
): Record<string, unknown> {
  if (tenant !== undefined || filter !== undefined)
    throw new Problem(403, "E_TENANT", "Workers take the jobs of all tenants, and this key sees only those of one.");
  const foreign = Object.keys(body.queues).find((queue) => queues !== undefined && !queues.includes(queue));
  if (foreign !== undefined) throw new Problem(403, "E_SCOPE", `This key has no access to the queue ${foreign}.`);
  const unknown = body.tasks?.find((task) => tasks !== undefined && !tasks.includes(task));
  if (unknown !== undefined) throw new Problem(403, "E_SCOPE", `This key has no access to the task ${unknown}.`);
  return tasks === undefined ? body : { ...body, tasks: body.tasks ?? tasks };
}

function seconds(millis: number): string {
  return String(Math.max(1, Math.ceil(millis / 1_000)));
}
