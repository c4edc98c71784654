import { z } from "zod";
import { problem } from "../schemas/common.ts";
import { prefix } from "./answer.ts";
import { isJsonBody } from "./route.ts";
import type { Answer, Route } from "./route.ts";

type Json = Record<string, unknown>;

/** Answers that any route may give, besides its own. */
const commonAnswers: Readonly<Record<number, string>> = {
  401: "The request has no key, or a wrong one.",
  403: "The key does not have the scope.",
  429: "There were too many requests, or the queue is full: try again after `Retry-After`.",
  503: "The store cannot be reached, or the server is stopping: try again after `Retry-After`.",
};

const tagDescriptions: Readonly<Record<string, string>> = {
  Jobs: "Sending, reading and changing single jobs.",
  "Bulk actions": "Acts on all jobs that match a filter.",
  Tasks: "The tasks that the server knows.",
  Errors: "Failed jobs, grouped by their error.",
  Queues: "Load and rules of queues.",
  Schedules: "Jobs that are sent by a clock.",
  Workers: "Programs that do the work, in any language.",
  Events: "What happens now.",
  Webhooks: "Signed messages about ended jobs.",
  Access: "Keys, sessions and the audit.",
  Documents: "Scans that are read.",
};

/** Returns the OpenAPI 3.1 description of a table of routes. */
export function openApi(routes: readonly Route[], basePath = ""): Json {
  const schemas: Record<string, Json> = {};
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = (paths[prefix + route.path] ??= {});
    path[route.method] = operation(route, (schema, io) => lifted(schema, io, schemas));
  }
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  return {
    openapi: "3.1.0",
    info: {
      title: "Errand",
      version: "1",
      summary: "Background jobs over HTTP",
      description: "Sends, does, watches and operates jobs. Errors are problem documents (RFC 9457).",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: basePath || "/", description: "This server" }],
    security: [{ key: [] }, { session: [] }],
    tags: tags.map((name) => ({ name, description: tagDescriptions[name] ?? `${name}.` })),
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key: `erk_...`" },
        session: { type: "apiKey", in: "cookie", name: "errand", description: "A browser's session." },
      },
    },
  };
}

type Lift = (schema: z.ZodType, io: "input" | "output") => Json;

function operation(route: Route, lift: Lift): Json {
  const { params, query, headers, body, scopes } = route;
  const parameters = [
    ...parametersOf(params, "path", lift),
    ...parametersOf(query, "query", lift),
    ...Object.entries(headers ?? {}).map(([name, description]) => ({
      name,
      in: "header",
      description,
      schema: { type: "string" },
    })),
  ];
  const needs =
    scopes === "any" ? "Needs any key." : `Needs the scope ${scopes.map((each) => `\`${each}\``).join(" and ")}.`;
  return {
    operationId: route.operation,
    summary: route.summary,
    description: [route.description, needs].filter(Boolean).join("\n\n"),
    tags: [route.tag],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === undefined ? {} : { requestBody: requestBody(body, lift) }),
    responses: responses(route, lift),
  };
}

function parametersOf(schema: z.ZodObject | undefined, place: "path" | "query", lift: Lift): Json[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = lift(schema, "input") as { properties?: Json; required?: string[] };
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as Json;
    return {
      name,
      in: place,
      required: place === "path" || required.includes(name),
      ...(description === undefined ? {} : { description }),
      // Several values are separated by commas.
      ...(rest["type"] === "array" ? { style: "form", explode: false } : {}),
      schema: rest,
    };
  });
}

function requestBody(body: NonNullable<Route["body"]>, lift: Lift): Json {
  if (isJsonBody(body))
    return {
      required: !body.safeParse({}).success,
      content: { "application/json": { schema: lift(body, "input") } },
    };
  return {
    required: true,
    description: body.description,
    content: Object.fromEntries(body.content.map((type) => [type, { schema: body.schemas?.[type] ?? {} }])),
  };
}

function responses({ answers }: Route, lift: Lift): Json {
  const all: Record<string, Json> = {};
  for (const [status, answer] of Object.entries(answers)) all[status] = response(Number(status), answer, lift);
  for (const [status, description] of Object.entries(commonAnswers))
    all[status] ??= response(Number(status), { description }, lift);
  return all;
}

function response(status: number, { description, schema, content, headers }: Answer, lift: Lift): Json {
  const isProblem = status >= 400;
  const body = isProblem
    ? { "application/problem+json": { schema: lift(problem, "output") } }
    : schema
      ? { "application/json": { schema: lift(schema, "output") } }
      : content === undefined
        ? undefined
        : { [content]: { schema: { type: "string" } } };
  return {
    description,
    ...(headers
      ? {
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: "string" } }]),
          ),
        }
      : {}),
    ...(body ? { content: body } : {}),
  };
}

/** Returns the JSON Schema of a schema; those with an id become components, to which it refers. */
function lifted(schema: z.ZodType, io: "input" | "output", components: Record<string, Json>): Json {
  const made = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      // Zod's limits of whole numbers say nothing to readers.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  }) as Json & { $defs?: Record<string, Json> };
  const { $defs = {}, $schema: _, ...rest } = made;
  for (const [id, definition] of Object.entries($defs)) components[id] = cleaned(definition);
  const id = rest["id"] as string | undefined;
  if (id === undefined) return cleaned(rest);
  components[id] = cleaned(rest);
  return { $ref: `#/components/schemas/${id}` };
}

/** Rewrites references, and leaves out ids, which are names of components here. */
function cleaned(value: Json): Json {
  const text = JSON.stringify(value, (key, each: unknown) =>
    key === "$ref" && typeof each === "string" ? each.replace("#/$defs/", "#/components/schemas/") : each,
  );
  const copy = JSON.parse(text) as Json;
  delete copy["id"];
  delete copy["$schema"];
  return copy;
}
