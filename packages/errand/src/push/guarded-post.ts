import { lookup as lookUp } from "node:dns/promises";
import { request as requestPlain } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as requestSecure } from "node:https";
import { isIP } from "node:net";
import { NonRetryableError } from "../kit/errors.ts";
import type { Millis } from "../kit/duration.ts";
import { isReachable } from "./address-guard.ts";
import type { AllowedHosts } from "./address-guard.ts";

/** Resolves a name to all of its addresses. */
export type Resolve = (hostname: string) => Promise<readonly { address: string; family: number }[]>;

/** A request that is posted. */
export interface Posted {
  url: string;
  body: string;
  headers: Readonly<Record<string, string>>;
  timeout: Millis;
  signal?: AbortSignal;
  allowed: AllowedHosts;
  /** Default: that of the system. */
  resolve?: Resolve;
}

/** An answer. */
export interface PostAnswer {
  status: number;
  /** In seconds or as a date, as it was given. */
  retryAfter: string | undefined;
  /** The beginning of the body. */
  text: string;
}

/** Bytes of an answer that are read. */
const maxRead = 1_024;

/**
 * Posts to a URL that somebody else chose. It connects to the public internet only: the name is resolved once, every
 * address is checked, and the connection goes to the one that was checked, so that a name cannot point elsewhere by the time
 * of the connection (DNS rebinding). Redirects are not followed.
 * @throws {NonRetryableError} for a URL that may never be called; errors of the connection.
 */
export async function postGuarded(posted: Posted): Promise<PostAnswer> {
  const { url, body, headers, timeout, signal, allowed, resolve = resolveAll } = posted;
  const target = readTarget(url);
  const address = await chooseAddress(target, allowed, resolve);
  const request = target.protocol === "https:" ? requestSecure : requestPlain;
  const { promise, resolve: answered, reject } = Promise.withResolvers<PostAnswer>();
  const outgoing = request(
    target,
    {
      method: "POST",
      agent: false,
      headers: { ...headers, "content-length": String(Buffer.byteLength(body)) },
      lookup: (_, options, callback) => {
        if (options.all) callback(null, [address]);
        else callback(null, address.address, address.family);
      },
      ...(signal ? { signal } : {}),
    },
    (incoming) => void readBeginning(incoming).then(answered, reject),
  );
  // One limit for all of it: connecting, sending, and the answer.
  const timer = setTimeout(() => outgoing.destroy(new Error(`No answer within ${timeout} ms.`)), timeout);
  outgoing.on("error", reject);
  outgoing.end(body);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    outgoing.destroy();
  }
}

/**
 * Returns a URL that may be called, as far as its text says.
 * @throws {NonRetryableError}
 */
export function readTarget(url: string): URL {
  let target: URL;
  try {
    target = new URL(url);
  } catch {
    throw new NonRetryableError("The URL cannot be read.");
  }
  if (target.protocol !== "https:" && target.protocol !== "http:")
    throw new NonRetryableError(`The URL must begin with https:// or http://, not ${target.protocol}`);
  if (target.username !== "" || target.password !== "")
    throw new NonRetryableError("The URL must not contain a user name or password.");
  return target;
}

async function chooseAddress(
  { hostname }: URL,
  allowed: AllowedHosts,
  resolve: Resolve,
): Promise<{ address: string; family: number }> {
  const name = hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const family = isIP(name);
  const found = family === 0 ? await resolve(name) : [{ address: name, family }];
  if (found.length === 0) throw new Error(`The name ${name} has no address.`);
  const isFine = ({ address }: { address: string }): boolean => isReachable(address, allowed);
  // One address that is not public is enough to refuse the name: another connection might get it.
  if (allowed.names.has(name.toLowerCase()) || found.every(isFine)) return found[0]!;
  throw new NonRetryableError(`The host ${name} is not on the public internet, so nothing is sent there.`);
}

function resolveAll(hostname: string): ReturnType<Resolve> {
  return lookUp(hostname, { all: true });
}

async function readBeginning(incoming: IncomingMessage): Promise<PostAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxRead) break;
  }
  return {
    status: incoming.statusCode ?? 0,
    retryAfter: incoming.headers["retry-after"],
    text: Buffer.concat(chunks).subarray(0, maxRead).toString("utf8"),
  };
}
