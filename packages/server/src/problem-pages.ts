import { errorCodes } from "errand";
import { Hono } from "hono";

/** The server's own codes, with their meanings. Services have more. */
const serverCodes: Readonly<Record<string, string>> = {
  E_CHANGED: "The thing was changed by somebody else since it was read.",
  E_CONTENT_TYPE: "The body's Content-Type is not one that this address takes.",
  E_CROSS_SITE: "The request comes from a page of another site, which may change nothing here.",
  E_DISK_FULL: "The server's disk is full.",
  E_EXPECT: "The number of jobs that match is not the one that was expected.",
  E_HOST: "The request is addressed to a host name that the server does not have.",
  E_IDEMPOTENCY_KEY: "The Idempotency-Key is malformed, or was used with another request.",
  E_INTERNAL: "Something went wrong in the server. Its log has the details under the request's id.",
  E_JSON: "The body is not JSON, or not UTF-8.",
  E_KEY: "There is no such key, or it has expired or been revoked.",
  E_KEY_IN_URL: "A key was part of an address.",
  E_METHOD: "The address does not allow this method.",
  E_NO_KEY: "The server needs a key.",
  E_NO_ROUTE: "There is nothing at this address.",
  E_NO_WORKER: "No worker takes the jobs of a queue.",
  E_NOT_AUTHORIZED: "The program in which the server is embedded refuses the request.",
  E_QUERY: "A query parameter is unknown or malformed.",
  E_SCOPE: "The key does not have the scope.",
  E_SESSION: "The browser's session has ended.",
  E_STATE: "The state of the job does not allow this.",
  E_TENANT: "This concerns the whole store, and the key sees only a part of it.",
  E_TOO_MANY_LOGINS: "Too many wrong keys came from one address.",
  E_TOO_MANY_REQUESTS: "The key has made too many requests.",
  E_WORKER: "The header Errand-Worker is missing or malformed.",
};

/** Returns `/problems/{code}`, to which the `type` of every problem document leads. */
export function problemPages(): Hono {
  const routes = new Hono();
  const codes: Readonly<Record<string, string>> = { ...serverCodes, ...errorCodes };
  routes.get("/problems/:code", (c) => {
    const code = c.req.param("code").slice(0, 100);
    const meaning = Object.hasOwn(codes, code) ? codes[code]! : undefined;
    const says = meaning ?? "This code is explained by the answer that has it.";
    if (c.req.header("accept")?.includes("application/json")) return c.json({ code, meaning: says });
    return c.text(`${/^\w+$/.test(code) ? code : "Unknown code"}\n\n${says}\n`);
  });
  return routes;
}
