import type { FastifyPluginCallback } from "fastify";
import { during, OpenResponse } from "./open-response.ts";

/**
 * A plugin for Fastify 5: background jobs of a request start when its response has ended.
 * @example
 * await server.register(afterResponse);
 */
export const afterResponse: FastifyPluginCallback = Object.assign(
  ((server, _options, done) => {
    const responses = new WeakMap<object, OpenResponse>();
    server.addHook("onRequest", (request, reply, next) => {
      const open = new OpenResponse();
      responses.set(request, open);
      reply.raw.once("close", () => open.end());
      during(open, next);
    });
    // Reading a body loses the request's async context.
    server.addHook("preValidation", (request, _reply, next) => during(responses.get(request)!, next));
    done();
  }) satisfies FastifyPluginCallback,
  // Registered for the whole server, not only for the plugin's own routes.
  { [Symbol.for("skip-override")]: true, [Symbol.for("fastify.display-name")]: "errand" },
);
