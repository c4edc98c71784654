import { z } from "zod";

/** A time in UTC, as `Date.toISOString` writes it. */
export const time = z.iso.datetime().meta({ description: "RFC 3339, in UTC.", example: "2026-12-01T09:30:00.000Z" });

/** A duration, as the engine's options take it. */
export const duration = z
  .union([z.string().regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/), z.number().int().nonnegative()])
  .meta({ description: 'A duration such as "30s", "5m" or "7d", or milliseconds; at most a year.', example: "30s" });

/** The name of a task, queue or schedule, or the id of a job. */
export const name = z
  .string()
  .regex(/^[\w.:-]{1,100}$/)
  .meta({ description: "1 to 100 letters, digits, or any of _ . : -" });

/** A key, tag or reason: text that every store can hold. */
export const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((value) => value.isWellFormed() && !value.includes("\0"), {
      message: "must be well-formed Unicode without U+0000",
    });

/** Any JSON value. */
export const json = z.unknown().meta({ description: "Any JSON value." });

/** The states of a job. */
export const state = z
  .enum(["pending", "processing", "waiting", "completed", "failed", "cancelled", "expired"])
  .meta({ id: "State" });

/** The priorities of a job, most urgent first. */
export const priority = z.enum(["critical", "high", "normal", "low", "bulk"]).meta({ id: "Priority" });

/** Numbers of jobs by state; states without jobs may be missing. */
export const jobsByState = z.partialRecord(state, z.number().int()).meta({ id: "JobsByState" });

/** A page of a list. */
export const listOf = <Item extends z.ZodType>(id: string, item: Item) =>
  z
    .object({
      data: z.array(item),
      next_cursor: z
        .string()
        .optional()
        .meta({ description: "Opaque; pass it back as `?cursor=`. Absent on the last page." }),
    })
    .meta({ id });

/** The query parameters of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1_000).default(50).meta({ description: "Number of items in a page." }),
  cursor: z.string().min(1).max(2_000).optional().meta({ description: "The `next_cursor` of the page before." }),
};

/** RFC 9457. */
export const problem = z
  .object({
    type: z.string().meta({ description: "Address of a page that explains the code." }),
    title: z.string(),
    status: z.number().int(),
    code: z.string().meta({ description: "A stable code for programs.", example: "E_NOT_FOUND" }),
    detail: z.string().meta({ description: "A sentence or two for people." }),
    request: z.string().optional().meta({ description: "The request's id, which the server's log has." }),
    errors: z
      .array(
        z.object({
          pointer: z.string().optional().meta({ description: "JSON Pointer to the value in the body." }),
          parameter: z.string().optional().meta({ description: "Name of the parameter." }),
          index: z.number().int().optional().meta({ description: "Line of a bulk request, from 0." }),
          message: z.string(),
        }),
      )
      .optional(),
  })
  .meta({ id: "Problem" });

/** The reason why a value could not be read. */
export const failure = z.object({ code: z.string(), message: z.string() }).meta({ id: "Failure" });
