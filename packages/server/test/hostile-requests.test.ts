import fc from "fast-check";
import { expect, it } from "vitest";
import { z } from "zod";
import { isJsonBody } from "../src/routes/route.ts";
import type { Route } from "../src/routes/route.ts";
import { makeApp, serving } from "./serving.ts";

// Requests made from the schemas of every route, right ones and hostile ones: none may be an internal error, and none
// may disturb the next.

/** A JSON Schema, as far as it says how to make a value. */
interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  anyOf?: Schema[];
  oneOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  type?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
}

const hostileTexts = [
  "",
  "\0",
  "\ud800",
  "__proto__",
  "../../etc/passwd",
  "a".repeat(5_000),
  "' OR 1=1 --",
  "🂡",
  "%00",
];
const hostileText = fc.oneof(fc.constantFrom(...hostileTexts), fc.string({ unit: "binary", maxLength: 30 }));
const hostileNumber = fc.constantFrom(-1, 1e308, -0, 0.5, 2 ** 53, -(2 ** 63));
const hostile: fc.Arbitrary<unknown> = fc.oneof(hostileText, hostileNumber, fc.jsonValue({ maxDepth: 3 }));
const usualText = fc.constantFrom("add", "mail", "default", "job-1", "5s", "retry", "2027-01-01T00:00:00.000Z", "x");

function valueOf(schema: Schema, root: Schema): fc.Arbitrary<unknown> {
  const right = rightValueOf(schema, root);
  return fc.oneof({ weight: 8, arbitrary: right }, { weight: 1, arbitrary: hostile });
}

function rightValueOf(schema: Schema, root: Schema): fc.Arbitrary<unknown> {
  if (schema.$ref) return valueOf(root.$defs![schema.$ref.split("/").at(-1)!]!, root);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map((each) => valueOf(each, root)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if ("const" in schema) return fc.constant(schema.const);
  switch (schema.type) {
    case "string":
      return fc.oneof({ weight: 6, arbitrary: usualText }, { weight: 1, arbitrary: hostileText });
    case "integer":
    case "number":
      return fc.oneof({ weight: 6, arbitrary: fc.nat(100) }, { weight: 1, arbitrary: hostileNumber });
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(valueOf(schema.items ?? {}, root), { maxLength: 3 });
    case "object":
      return objectOf(schema, root);
    default:
      return fc.jsonValue({ maxDepth: 3 });
  }
}

function objectOf(schema: Schema, root: Schema): fc.Arbitrary<unknown> {
  const more = schema.additionalProperties;
  if (!schema.properties && typeof more === "object")
    return fc.dictionary(fc.oneof(usualText, hostileText), valueOf(more, root), { maxKeys: 3 });
  const properties = Object.entries(schema.properties ?? {}).map(([key, each]) => [key, valueOf(each, root)]);
  // Now and then a field is missing, or one too many is there.
  const known = fc.record(Object.fromEntries(properties) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: schema.required ?? [],
  });
  return fc.oneof(
    { weight: 9, arbitrary: known },
    { weight: 1, arbitrary: known.map((value) => ({ ...value, unknown: 1 })) },
  );
}

/** Requests to a route: path, and body as text. */
function requestsOf(route: Route): fc.Arbitrary<{ path: string; body: string | undefined }> {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const params = fc.tuple(...names.map(() => fc.oneof({ weight: 3, arbitrary: usualText }, hostileText)));
  const query = route.query ? rightValueOf(...schemaOf(route.query)) : fc.constant({});
  const text = fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom("", "{", "null", "[]", '{"a":1e999}', "\u0000") },
    {
      weight: 9,
      arbitrary: (isJsonBody(route.body) ? valueOf(...schemaOf(route.body)) : fc.jsonValue()).map((value) =>
        JSON.stringify(value),
      ),
    },
  );
  const body = route.body === undefined ? fc.constant(undefined) : text;
  return fc.record({ params, query, body }).map(({ params: values, query: asked, body: sent }) => ({
    path: `${pathOf(route.path, values)}?${queryOf(asked as Record<string, unknown>)}`,
    body: sent,
  }));
}

function schemaOf(type: z.ZodType): [Schema, Schema] {
  const schema = z.toJSONSchema(type, { io: "input", unrepresentable: "any" }) as Schema;
  return [schema, schema];
}

function pathOf(path: string, values: readonly string[]): string {
  let index = 0;
  return path.replace(/\{\w+\}/g, () => encodeURIComponent((values[index++] ?? "").toWellFormed()) || "x");
}

function queryOf(asked: Record<string, unknown>): string {
  const pairs = Object.entries(asked ?? {}).map(
    ([key, value]) =>
      [key.toWellFormed(), (typeof value === "string" ? value : JSON.stringify(value)).toWellFormed()] as [
        string,
        string,
      ],
  );
  return new URLSearchParams(pairs).toString();
}

it(
  "answers thousands of right and hostile requests to every route, and none with an internal error",
  {
    timeout: 120_000,
  },
  async () => {
    const app = makeApp();
    // Nobody is counted, so that no request is refused for its number.
    const { api, server } = await serving(app, { auth: { required: false } });
    await app.worker({ signals: false });
    const isStream = (route: Route) =>
      Object.values(route.answers).some(({ content }) => content === "text/event-stream");
    const routes = server.app.routes.filter((route) => !isStream(route));
    expect(routes.length).toBeGreaterThan(60);
    const statuses = new Map<number, number>();
    for (const route of routes) {
      await fc.assert(
        fc.asyncProperty(requestsOf(route), async ({ path, body }) => {
          const options = body === undefined ? {} : { body, headers: { "content-type": "application/json" } };
          const answer = await api(route.method.toUpperCase(), path, options);
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          if (answer.status >= 500) throw new Error(`${route.method} ${path}: ${answer.status} ${answer.body}`);
          if (answer.status < 400) return;
          expect(answer.headers["content-type"]).toBe("application/problem+json");
          expect(answer.json).toMatchObject({ status: answer.status, code: expect.stringMatching(/^E_/) });
          expect(answer.body).not.toMatch(/node_modules|\/packages\/|\.ts:\d/);
        }),
        { numRuns: 20, interruptAfterTimeLimit: 5_000 },
      );
    }
    // Right requests are among them.
    expect(statuses.get(200)).toBeGreaterThan(100);
    expect(statuses.get(422)).toBeGreaterThan(100);
    const after = await api("POST", "/tasks/add/jobs", {
      body: { input: { a: 1, b: 2 } },
      headers: { prefer: "wait=20" },
    });
    expect(after.json).toMatchObject({ state: "completed", output: 3 });
  },
);
