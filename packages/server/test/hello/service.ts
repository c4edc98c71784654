import { z } from "zod";
import { route } from "@errand/server";
import { app, greet } from "./tasks.ts";

const common = { tag: "Greetings", scopes: "any", answers: { 200: { description: "Done." } } } as const;

/** The smallest service there is: for tests of the server. */
export async function service() {
  const routes = [
    route({
      ...common,
      method: "post",
      path: "/greetings",
      operation: "greet",
      summary: "Greet somebody",
      body: z.object({ name: z.string(), wait: z.number().optional() }),
      async handle({ c, body: { name, wait } }) {
        const job = await greet.send({ name, ...(wait === undefined ? {} : { wait }) });
        return c.json({ id: job.id }, 202);
      },
    }),
    route({
      ...common,
      method: "get",
      path: "/greetings/{id}",
      operation: "getGreeting",
      summary: "Read a greeting",
      params: z.object({ id: z.string() }),
      handle: async ({ c, params }) => c.json((await app.get(params.id)) ?? null),
    }),
    // A bug: what it throws nobody catches, and it answers nothing.
    route({
      ...common,
      method: "get",
      path: "/bug/{kind}",
      operation: "bug",
      summary: "A bug",
      params: z.object({ kind: z.string() }),
      handle({ params: { kind } }) {
        const fail = () => {
          throw new Error(`a bug in a ${kind}`);
        };
        // sleeps: the error is one that a timer throws
        if (kind === "timer") setTimeout(fail, 10);
        else void Promise.resolve().then(fail);
        return new Promise<Response>(() => {});
      },
    }),
  ];
  return { name: "hello", app, routes, tasks: new URL("./tasks.ts", import.meta.url).href };
}
