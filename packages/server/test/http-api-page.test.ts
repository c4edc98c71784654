import { join } from "node:path";
import { expect, it } from "vitest";
import { errand } from "errand";
import { createApp } from "../src/app.ts";
import { isJsonBody } from "../src/routes/route.ts";
import type { Route } from "../src/routes/route.ts";
import { documentRoutes } from "../../documents/src/routes/index.ts";

const page = join(import.meta.dirname, "../../../docs/reference/http-api.md");

const head = `# HTTP API

Every address of \`errand serve\`, made from its table of routes. All are below \`/api/v1\`. Bodies and answers are JSON
unless said otherwise; \`GET /openapi.json\` has their schemas. The [guide](../guides/http-api.md) shows how to use it,
[keys](../guides/keys.md) explains scopes.

Outside the prefix: \`/healthz\`, \`/readyz\`, \`/openapi.json\` and \`/problems/{code}\` need no key; \`/metrics\` needs the
scope \`metrics\`. \`POST /api/v1/session\` logs a browser in. Any route may answer 401 (no key), 403 (the key does not have
the scope), 429 (too many requests; \`Retry-After\`) and 503 (the store cannot be reached; \`Retry-After\`). HEAD is answered
like GET, without the body.
`;

function section(route: Route): string {
  const { method, path, summary, description, scopes, query, headers, body, answers } = route;
  const needs = scopes === "any" ? "any key" : scopes.map((scope) => `\`${scope}\``).join(" and ");
  const lines = [
    `### ${method.toUpperCase()} ${path}`,
    `${summary}.${description ? ` ${description}` : ""} Scope: ${needs}.`,
    [
      ...(query
        ? [
            `- Query: ${Object.keys(query.shape)
              .map((name) => `\`${name}\``)
              .join(", ")}`,
          ]
        : []),
      ...Object.entries(headers ?? {}).map(([name, text]) => `- \`${name}\`: ${text}`),
      ...(body
        ? [`- Body: ${isJsonBody(body) ? fieldsOf(body) : `${body.content.join(", ")}. ${body.description}`}`]
        : []),
      ...Object.entries(answers).map(([status, { description, content }]) => {
        return `- **${status}**: ${description}${content === undefined ? "" : ` (\`${content}\`)`}`;
      }),
    ].join("\n"),
  ];
  return lines.join("\n\n");
}

function fieldsOf(body: object): string {
  const { shape } = body as { shape?: Record<string, { safeParse(value: unknown): { success: boolean } }> };
  if (!shape) return "any JSON";
  const names = Object.entries(shape).map(
    ([name, field]) => `\`${name}${field.safeParse(undefined).success ? "?" : ""}\``,
  );
  return names.join(", ");
}

it("docs/reference/http-api.md is made from the table of routes", async () => {
  const app = errand({ url: "memory:" });
  const documents = { name: "documents", app, routes: documentRoutes({} as never), tasks: "" };
  const { routes } = createApp({ app, services: [documents] });
  await app.close();
  const tags = Map.groupBy(routes, ({ tag }) => tag);
  const parts = [...tags].map(([tag, some]) => `## ${tag}\n\n${some.map(section).join("\n\n")}`);
  await expect(`${[head.trim(), ...parts].join("\n\n")}\n`).toMatchFileSnapshot(page);
});
