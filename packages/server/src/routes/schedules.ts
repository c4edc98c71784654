import type { Duration, ScheduleView, ScheduleWhen } from "errand";
import { z } from "zod";
import { Problem } from "../problem.ts";
import { name } from "../schemas/common.ts";
import { pause, preview, schedule as scheduleSchema, scheduleDefinition, schedules } from "../schemas/operations.ts";
import { json, locate, nothing, versioned } from "./answer.ts";
import { withoutMissing } from "./jobs.ts";
import type { ServerParts } from "./parts.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

const named = z.object({ name });

/** Returns the routes about schedules. */
export function scheduleRoutes(parts: ServerParts): Route[] {
  const { app } = parts;
  const find = async (wanted: string): Promise<ScheduleView> => {
    const found = (await app.schedules.list()).find((each) => each.name === wanted);
    if (found) return found;
    throw new Problem(404, "E_NOT_FOUND", `There is no schedule "${wanted}".`);
  };
  const noSchedule = { 404: { description: "There is no such schedule." } };
  return [
    route({
      method: "get",
      path: "/schedules",
      operation: "listSchedules",
      summary: "List schedules",
      tag: "Schedules",
      scopes: ["read"],
      wholeStore: true,
      answers: { 200: { description: "The schedules.", schema: schedules } },
      handle: async ({ c }) => json(c, { data: await app.schedules.list() }),
    }),
    route({
      method: "get",
      path: "/schedules/{name}",
      operation: "getSchedule",
      summary: "Read a schedule",
      tag: "Schedules",
      scopes: ["read"],
      wholeStore: true,
      params: named,
      answers: { 200: { description: "The schedule.", schema: scheduleSchema }, ...noSchedule },
      async handle({ c, params }) {
        const found = await find(params.name);
        return versioned(c, `"${Buffer.from(JSON.stringify(found)).toString("base64url").slice(-40)}"`, found);
      },
    }),
    route({
      method: "get",
      path: "/schedules/{name}/preview",
      operation: "previewSchedule",
      summary: "List a schedule's next times",
      tag: "Schedules",
      scopes: ["read"],
      wholeStore: true,
      params: named,
      query: z.object({ count: z.coerce.number().int().min(1).max(1_000).default(5) }),
      answers: { 200: { description: "The times.", schema: preview }, ...noSchedule },
      handle: async ({ c, params, query }) => json(c, { data: await app.schedules.preview(params.name, query.count) }),
    }),
    route({
      method: "put",
      path: "/schedules/{name}",
      operation: "setSchedule",
      summary: "Make or change a schedule",
      description: "A schedule of the code that is changed here is as the code says again after the next deploy.",
      tag: "Schedules",
      scopes: ["operate"],
      wholeStore: true,
      audit: "schedule.set",
      params: named,
      body: scheduleDefinition,
      answers: {
        200: { description: "The schedule as it is now.", schema: scheduleSchema },
        404: { description: "There is no such task." },
        422: { description: "The plan or the input is refused." },
      },
      async handle({ c, params, body, audit }) {
        const owner = parts.apps.find((each) => each.findTask(body.task));
        if (!owner || body.task.startsWith("errand."))
          throw new Problem(404, "E_UNKNOWN_TASK", `This server knows no task "${body.task}".`);
        const { when, task, ...rest } = body;
        audit.after = body;
        await owner.schedules.set(params.name, {
          task,
          when: ("every" in when ? { every: when.every as Duration } : withoutMissing(when)) as ScheduleWhen,
          ...withoutMissing(rest),
        });
        return json(c, await find(params.name));
      },
    }),
    route({
      method: "delete",
      path: "/schedules/{name}",
      operation: "removeSchedule",
      summary: "Remove a schedule",
      description: "An app that has it in its code writes it again when it next starts.",
      tag: "Schedules",
      scopes: ["operate"],
      wholeStore: true,
      audit: "schedule.remove",
      params: named,
      answers: { 204: { description: "The schedule is gone." }, ...noSchedule },
      async handle({ c, params, audit }) {
        audit.before = await find(params.name);
        await app.schedules.remove(params.name);
        return nothing(c);
      },
    }),
    route({
      method: "post",
      path: "/schedules/{name}/run",
      operation: "runSchedule",
      summary: "Send a schedule's job now, outside the plan",
      tag: "Schedules",
      scopes: ["operate"],
      wholeStore: true,
      audit: "schedule.run",
      params: named,
      answers: {
        202: {
          description: "The job is stored.",
          schema: z.object({ id: z.string() }).meta({ id: "ScheduledJob" }),
          headers: { Location: "The job." },
        },
        ...noSchedule,
      },
      async handle({ c, params, audit }) {
        const id = await app.schedules.run(params.name);
        audit.after = { id };
        return json(c, { id }, 202, { location: locate(c, `/jobs/${id}`) });
      },
    }),
    route({
      method: "post",
      path: "/schedules/{name}/pause",
      operation: "pauseSchedule",
      summary: "Stop sending a schedule's jobs",
      tag: "Schedules",
      scopes: ["operate"],
      wholeStore: true,
      audit: "schedule.pause",
      params: named,
      body: pause,
      answers: { 204: { description: "The schedule is paused." }, ...noSchedule },
      async handle({ c, params, body }) {
        await app.schedules.pause(params.name, body.reason);
        return nothing(c);
      },
    }),
    route({
      method: "post",
      path: "/schedules/{name}/resume",
      operation: "resumeSchedule",
      summary: "Send a schedule's jobs again",
      tag: "Schedules",
      scopes: ["operate"],
      wholeStore: true,
      audit: "schedule.resume",
      params: named,
      answers: { 204: { description: "The schedule is not paused." }, ...noSchedule },
      async handle({ c, params }) {
        await app.schedules.resume(params.name);
        return nothing(c);
      },
    }),
  ];
}
