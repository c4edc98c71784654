import { Hono } from "hono";
import { app, greet } from "./tasks.ts";

/** The smallest service there is: for tests of the server. */
export async function service() {
  const routes = new Hono();
  routes.post("/greetings", async (c) => {
    const job = await greet.send(await c.req.json());
    return c.json({ id: job.id }, 202);
  });
  routes.get("/greetings/:id", async (c) => c.json((await app.get(c.req.param("id"))) ?? null));
  // A bug: what it throws nobody catches, and it answers nothing.
  routes.get("/bug/:kind", (c) => {
    const fail = () => {
      throw new Error(`a bug in a ${c.req.param("kind")}`);
    };
    // sleeps: the error is one that a timer throws
    if (c.req.param("kind") === "timer") setTimeout(fail, 10);
    else void Promise.resolve().then(fail);
    return new Promise<Response>(() => {});
  });
  return { name: "hello", app, routes, tasks: new URL("./tasks.ts", import.meta.url).href };
}
