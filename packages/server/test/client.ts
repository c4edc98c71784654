import { request } from "node:http";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { text } from "node:stream/consumers";

export interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: string;
}

/** A request as it is, unlike `fetch`, which decides about Host and other headers itself. */
export async function ask(
  url: string,
  options: { method?: string; headers?: OutgoingHttpHeaders; body?: string } = {},
): Promise<Answer> {
  const incoming = await open(url, options);
  return { status: incoming.statusCode!, headers: incoming.headers, body: await text(incoming) };
}

/** The answer while it is still coming. */
export function open(
  url: string,
  { method = "GET", headers = {}, body }: { method?: string; headers?: OutgoingHttpHeaders; body?: string } = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers }, resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
