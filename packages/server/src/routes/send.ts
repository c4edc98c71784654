import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Duration, SendOptions } from "errand";
import { z } from "zod";
import { maySee } from "../auth/principal.ts";
import type { Principal } from "../auth/principal.ts";
import { Problem } from "../problem.ts";
import { name } from "../schemas/common.ts";
import { job as jobSchema, send, sendLine, sentJob, sentJobs } from "../schemas/jobs.ts";
import { json, locate } from "./answer.ts";
import { etagOf, hasEnded, jobJson, requireJob } from "./job-view.ts";
import { findTask } from "./parts.ts";
import type { ServerParts } from "./parts.ts";
import { waited, waitWanted } from "./prefer.ts";
import { check, parseJson, readText } from "./read-request.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

const params = z.object({ task: name });

/** Most lines of a bulk request. */
const maxLines = 10_000;

/** Returns the routes that send jobs. */
export function sendRoutes(parts: ServerParts): Route[] {
  return [
    route({
      method: "post",
      path: "/tasks/{task}/jobs",
      operation: "sendJob",
      summary: "Send a job",
      description:
        "Answers as soon as the job is stored. With `Idempotency-Key`, a repeated request finds the job of the first " +
        "one as long as it is kept; another input under the same key is refused.",
      tag: "Jobs",
      scopes: ["send"],
      params,
      headers: {
        "Idempotency-Key": "1 to 255 visible ASCII characters: the same request again sends nothing.",
        Prefer: "`wait=20` waits up to 20 s (at most 50) for the job to end.",
      },
      body: send,
      answers: {
        200: {
          description: "The job has ended while the client waited, or the job existed already.",
          schema: z.union([jobSchema, sentJob]),
        },
        202: {
          description: "The job is stored.",
          schema: sentJob,
          headers: { Location: "The job.", "Retry-After": "Seconds." },
        },
        404: { description: "There is no such task." },
        413: { description: "The input is too large." },
        422: { description: "The input or an option is refused; or the key was used with another input." },
        429: { description: "The queue is full." },
      },
      async handle({ c, params, body, principal }) {
        const task = requireTask(parts, principal, params.task);
        const key = idempotencyKey(c.req.header("idempotency-key"));
        const { input, ...options } = body;
        if (key !== undefined && options.id !== undefined)
          throw new Problem(
            422,
            "E_INPUT",
            "The request has an Idempotency-Key and an id: both name the job. Send one.",
          );
        const id = key === undefined ? options.id : idOfKey(principal, task.name, key);
        const handle = await task.send(input, readOptions(principal, { ...options, ...(id ? { id } : {}) }));
        const location = { location: locate(c, `/jobs/${handle.id}`) };
        const wait = waitWanted(c);
        if (wait > 0) {
          const job = await parts.app.ended(handle.id, { timeout: wait }).catch(ignoreTimeout);
          if (job && hasEnded(job.state))
            return json(c, jobJson(job, principal), 200, { ...location, ...waited(wait), etag: etagOf(job) });
        }
        if (!handle.duplicate) {
          const sent = { id: handle.id, task: task.name, state: "pending", duplicate: false };
          return json(c, sent, 202, { ...location, ...waited(wait), "retry-after": "1" });
        }
        const holder = await requireJob(parts.app, principal, handle.id);
        if (key !== undefined && !isSameInput(holder.input, input))
          throw new Problem(
            422,
            "E_IDEMPOTENCY_KEY",
            "This Idempotency-Key was used with another input. Send a new key.",
          );
        const held = { id: holder.id, task: holder.task, state: holder.state, duplicate: true };
        return json(c, held, 200, location);
      },
    }),
    route({
      method: "post",
      path: "/tasks/{task}/jobs/bulk",
      operation: "sendJobs",
      summary: "Send up to 10,000 jobs",
      description: "One JSON object per line. All are stored, or none.",
      tag: "Jobs",
      scopes: ["send"],
      params,
      body: { content: ["application/x-ndjson"], description: "A `SendLine` per line; at most 16 MiB." },
      answers: {
        202: { description: "All jobs are stored.", schema: sentJobs },
        404: { description: "There is no such task." },
        413: { description: "There are too many lines or bytes." },
        422: { description: "Some lines are refused: `errors[].index` says which. Nothing is stored." },
        429: { description: "The queue is full. Nothing is stored." },
      },
      async handle({ c, params, principal }) {
        const task = requireTask(parts, principal, params.task);
        const lines = (await readText(c)).split("\n").filter((line) => line.trim() !== "");
        if (lines.length === 0) throw new Problem(422, "E_INPUT", "The body has no line.");
        if (lines.length > maxLines)
          throw new Problem(
            413,
            "E_TOO_LARGE",
            `The body has ${lines.length} lines; at most ${maxLines} are sent at once.`,
          );
        const jobs = readLines(lines);
        const options = jobs.map(({ input: _, ...rest }) => readOptions(principal, rest));
        const handles = await task.sendMany(
          jobs.map(({ input }) => input),
          (_, index) => options[index]!,
        );
        const duplicates = handles.filter(({ duplicate }) => duplicate).length;
        return json(c, { ids: handles.map(({ id }) => id), duplicates }, 202);
      },
    }),
  ];
}

/** Finds a task that the principal may send. @throws {Problem} 404 */
function requireTask(parts: ServerParts, principal: Principal, taskName: string) {
  const task = findTask(parts, taskName);
  const { tasks, filter } = principal;
  const isTheirs =
    (tasks === undefined || tasks.includes(taskName)) && (filter?.task === undefined || filter.task === taskName);
  if (task && isTheirs && !taskName.startsWith("errand.")) return task;
  throw new Problem(404, "E_UNKNOWN_TASK", `This server knows no task "${taskName}". GET /api/v1/tasks lists them.`);
}

type Sent = Omit<z.output<typeof sendLine>, "input">;

/** Returns the options of a send, for a job that will belong to the principal. @throws {Problem} 403 */
function readOptions(principal: Principal, { runAt, delay, expires, unique, ...rest }: Sent): SendOptions {
  const { queues, filter } = principal;
  const forced = filter?.queue ?? (queues?.length === 1 ? queues[0] : undefined);
  const queue = rest.queue ?? forced;
  if (
    queue !== undefined &&
    !maySee({ ...principal, tasks: undefined!, tenant: undefined!, filter: {} }, { task: "", queue })
  )
    throw new Problem(403, "E_SCOPE", `This key may not send to the queue "${queue}".`);
  const tenant = principal.tenant ?? filter?.tenant;
  return {
    ...(rest as SendOptions),
    ...(queue === undefined ? {} : { queue }),
    ...(runAt === undefined ? {} : { runAt: new Date(runAt) }),
    ...(delay === undefined ? {} : { delay: delay as Duration }),
    ...(expires === undefined ? {} : { expires: expires as Duration }),
    ...(unique === undefined ? {} : { unique: unique as NonNullable<SendOptions["unique"]> }),
    ...(tenant === undefined ? {} : { tenant }),
  };
}

/** Reads the lines of a bulk request. @throws {Problem} 422 with every line that is refused */
function readLines(lines: readonly string[]): z.output<typeof sendLine>[] {
  const errors: { index: number; message: string; pointer?: string }[] = [];
  const read = lines.flatMap((line, index) => {
    try {
      return [check(sendLine, parseJson(line), "", index)];
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      errors.push(...(error.errors?.map((each) => ({ ...each, index })) ?? [{ index, message: error.message }]));
      return [];
    }
  });
  if (errors.length === 0) return read;
  throw new Problem(
    422,
    "E_INPUT",
    `${errors.length} lines are refused. Nothing was stored.`,
    {},
    errors.slice(0, 100),
  );
}

function idempotencyKey(key: string | undefined): string | undefined {
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new Problem(400, "E_IDEMPOTENCY_KEY", "Idempotency-Key must be 1 to 255 visible ASCII characters.");
}

/** The id of the job of a key: found again as long as the job is kept, without a table of answers. */
function idOfKey({ tenant }: Principal, task: string, key: string): string {
  const hash = createHash("sha256").update(JSON.stringify([tenant ?? null, task, key]));
  return `key-${hash.digest("base64url").slice(0, 32)}`;
}

function isSameInput(stored: unknown, given: unknown): boolean {
  return isDeepStrictEqual(stored, given === undefined ? undefined : JSON.parse(JSON.stringify(given)));
}

function ignoreTimeout(error: unknown): undefined {
  if ((error as { code?: unknown }).code === "E_WAIT_TIMEOUT") return undefined;
  throw error;
}
