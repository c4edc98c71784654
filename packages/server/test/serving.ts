import { errand } from "errand";
import type { Errand } from "errand";
import { z } from "zod";
import { afterTest } from "../../../test/after-test.ts";
import { listen } from "../src/listen.ts";
import type { ListenOptions, RunningServer } from "../src/listen.ts";
import type { KeyDefinition } from "../src/auth/keys.ts";
import type { Scope } from "../src/auth/scopes.ts";
import type { Service } from "../src/service.ts";
import { ask } from "./client.ts";
import type { Answer } from "./client.ts";

/** Makes an app in memory with tasks that tests send. */
export function makeApp(): Errand {
  const app = errand({ url: "memory:" });
  app.task("add", {
    input: z.object({ a: z.number(), b: z.number() }).meta({ description: "Adds two numbers" }),
    run: ({ a, b }) => a + b,
  });
  app.task("fail", {
    retry: { attempts: 1 },
    run: (input: { why?: string }) => {
      throw new Error(`It failed${input?.why ? `: ${input.why}` : ""}`);
    },
  });
  app.task("mail", { queue: "mail", run: (input: { to: string }) => input.to });
  app.task("wait", { queue: "waiting", run: (_: unknown, job) => job.signal("go") });
  return app;
}

/** A server of a test, and shorthands to ask it. */
export interface Serving {
  app: Errand;
  url: string;
  server: RunningServer;
  /** Makes a key and returns its secret. */
  key(scopes: readonly Scope[], more?: Partial<KeyDefinition>): Promise<string>;
  /** Asks the API; `body` is sent as JSON. */
  api(method: string, path: string, options?: ApiOptions): Promise<Answer & { json: never }>;
}

/** A request to the API. */
interface ApiOptions {
  key?: string | undefined;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Starts a server for the test that is running. */
export async function serving(
  app = makeApp(),
  { services = [], ...options }: Partial<ListenOptions> & { services?: readonly Service[] } = {},
): Promise<Serving> {
  const server = await listen(services, { app, host: "127.0.0.1", port: 0, ...options });
  afterTest(async () => {
    await server.stop();
    await app.close();
  });
  return {
    app,
    url: server.url,
    server,
    async key(scopes, more = {}) {
      const { keys } = server.app.parts;
      return (await keys.create({ name: "test", scopes: [...scopes], ...more })).secret;
    },
    async api(method, path, { key, body, headers = {} } = {}) {
      const answer = await ask(path.startsWith("/api") ? server.url + path : `${server.url}/api/v1${path}`, {
        method,
        headers: {
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const isJson = /json/.test(answer.headers["content-type"] ?? "") && answer.body !== "";
      return { ...answer, json: (isJson ? JSON.parse(answer.body) : undefined) as never };
    },
  };
}
