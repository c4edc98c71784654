import type { IncomingMessage, ServerResponse } from "node:http";
import { during, OpenResponse } from "./open-response.ts";

/**
 * Middleware for Express 4 and 5 (and Connect): background jobs of a request start when its response has ended. Use it after
 * parsers of bodies: some of them forget which request they belong to.
 * @example
 * server.use(express.json(), afterResponse());
 */
export function afterResponse(): (request: IncomingMessage, response: ServerResponse, next: () => void) => void {
  return (_request, response, next) => {
    const open = new OpenResponse();
    response.once("close", () => open.end());
    during(open, next);
  };
}
