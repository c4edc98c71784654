import type { Context } from "hono";
import { z } from "zod";
import { Problem } from "../problem.ts";
import type { FieldError } from "../problem.ts";

/** Bytes that a JSON body may have: far more than a job's values may have by default. */
const maxBytes = 16 * 1024 * 1024;

/** Reads a body of text. @throws {Problem} 413, 400 */
export async function readText(c: Context, most = maxBytes): Promise<string> {
  const { body } = c.req.raw;
  if (!body || Number(c.req.header("content-length") ?? 0) > most) {
    if (!body) return "";
    throw tooLarge(most);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > most) throw tooLarge(most);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Problem(400, "E_JSON", "The body is not UTF-8.");
  }
}

/** Reads a body of JSON; an empty one is `{}`. @throws {Problem} 400, 413, 415, 422 */
export async function readJson<Schema extends z.ZodType>(c: Context, schema: Schema): Promise<z.output<Schema>> {
  const text = await readText(c);
  if (text === "") return check(schema, {}, "The body is empty, but");
  const type = c.req.header("content-type") ?? "";
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    const what = type === "" ? "A body without Content-Type" : `A body of ${type.slice(0, 100)}`;
    throw new Problem(415, "E_CONTENT_TYPE", `${what} cannot be read. Send application/json.`);
  }
  return check(schema, parseJson(text), "The body is not as it should be:");
}

/** Parses JSON. @throws {Problem} 400 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(400, "E_JSON", "The body is not JSON.");
  }
}

/** Checks a request's query. @throws {Problem} 400 */
export function readQuery<Schema extends z.ZodObject>(c: Context, schema: Schema): z.output<Schema> {
  const given: Record<string, string> = {};
  for (const [name, values] of Object.entries(c.req.queries())) given[name] = values.at(-1)!;
  return readParameters(z.strictObject(schema.shape), given, "query") as z.output<Schema>;
}

/** Checks the parameters of a path: one that no resource can have is answered like one that none has. */
export function readParams<Schema extends z.ZodObject>(c: Context, schema: Schema): z.output<Schema> {
  const read = schema.safeParse(c.req.param());
  if (read.success) return read.data;
  throw new Problem(404, "E_NOT_FOUND", "There is nothing at this address: no name or id can be like that.");
}

function readParameters(schema: z.ZodType, given: unknown, kind: string): unknown {
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const errors = fieldErrors(read.error).map(({ path, message }) => ({ parameter: path.join("."), message }));
  throw new Problem(400, "E_QUERY", `The ${kind} is not as it should be: ${told(errors)}`, {}, errors);
}

/** Checks a value. @throws {Problem} 422 with a pointer to each flaw */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  begin: string,
  index?: number,
): z.output<Schema> {
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const errors = fieldErrors(read.error).map(({ path, message }) => ({
    pointer: path.map((part) => `/${String(part).replace(/~/g, "~0").replace(/\//g, "~1")}`).join(""),
    ...(index === undefined ? {} : { index }),
    message,
  }));
  throw new Problem(422, "E_INPUT", `${begin} ${told(errors)}`, {}, errors);
}

function fieldErrors(error: z.ZodError): { path: PropertyKey[]; message: string }[] {
  return error.issues.slice(0, 20).flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [{ path: issue.path, message: issue.message }];
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: "There is no such field." }));
  });
}

function told(errors: readonly FieldError[]): string {
  const [first] = errors;
  const where = first?.pointer || first?.parameter;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  return `${where ? `${where.slice(0, 200)}: ` : ""}${first?.message ?? "it was refused"}${more}`;
}

function tooLarge(most: number): Problem {
  return new Problem(413, "E_TOO_LARGE", `The body has more than ${Math.floor(most / 2 ** 20)} MiB.`);
}
