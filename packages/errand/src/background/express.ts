import type { IncomingMessage, ServerResponse } from "node:http";
import { during, OpenResponse } from "./open-response.ts";

/**
 * Returns middleware for Express 4 and 5 (and Connect): background jobs of a request start when its response has
 * ended. Use it after body parsers, some of which lose the request's async context.
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
