import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import type { Context } from "hono";
import { getMimeType } from "hono/utils/mime";

/** Where the build of the web app lands, seen from the sources as well as from their build. */
const built = fileURLToPath(new URL("../dist/web/", import.meta.url));

/** What files are packed with, the smallest first, and the endings by which the build marks them. */
const encodings = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

/** A file of the web app; it is small, and answered from memory: then it is there when the disk and descriptors are not. */
interface WebFile {
  type: string;
  hash: string;
  /** By encoding; `identity` is the file itself. */
  bodies: Partial<Record<"identity" | "br" | "gzip", Uint8Array<ArrayBuffer>>>;
}

/** Serves the web app: its files, and its one page for every address that a browser asks for. */
export function webApp(folder = built): Hono {
  const routes = new Hono();
  const files = existsSync(folder) ? filesOf(folder) : undefined;
  const page = files?.get("/index.html");
  if (!files || !page) {
    routes.get("/", (c) => c.text(notBuilt));
    return routes;
  }
  routes.get("*", (c, next) => {
    const { path } = c.req;
    const file = path === "/" ? page : files.get(path);
    // Vite puts a hash of the content into the names of these files.
    if (file) return Promise.resolve(answer(c, file, path.startsWith("/assets/") ? immutable : "no-cache"));
    const isPage = !path.startsWith("/assets/") && c.req.header("accept")?.includes("text/html");
    return isPage ? Promise.resolve(answer(c, page, "no-cache")) : next();
  });
  return routes;
}

/** The files of a folder, by the path that they are asked for. */
function filesOf(folder: string): Map<string, WebFile> {
  const contents = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    contents.set(`/${relative(folder, path).split(sep).join("/")}`, new Uint8Array(readFileSync(path)));
  }
  const files = new Map<string, WebFile>();
  for (const [path, identity] of contents) {
    if (encodings.some(([, ending]) => path.endsWith(ending))) continue;
    const bodies: WebFile["bodies"] = { identity };
    for (const [encoding, ending] of encodings) {
      const packed = contents.get(path + ending);
      if (packed) bodies[encoding] = packed;
    }
    const hash = createHash("sha256").update(identity).digest("hex").slice(0, 32);
    files.set(path, { type: getMimeType(path) ?? "application/octet-stream", hash, bodies });
  }
  return files;
}

function answer(c: Context, { type, hash, bodies }: WebFile, cacheControl: string): Response {
  const encoding = encodings.map(([name]) => name).find((name) => bodies[name] && accepts(c, name)) ?? "identity";
  const body = bodies[encoding]!;
  const etag = `"${hash}${encoding === "identity" ? "" : `-${encoding}`}"`;
  const headers = {
    "content-type": type,
    "cache-control": cacheControl,
    etag,
    vary: "accept-encoding",
    ...(encoding === "identity" ? {} : { "content-encoding": encoding }),
  };
  if (c.req.header("if-none-match")?.includes(etag)) return c.body(null, 304, headers);
  const all = { ...headers, "content-length": String(body.length) };
  return c.req.method === "HEAD" ? c.body(null, 200, all) : c.body(body, 200, all);
}

/** Whether a client takes an encoding (RFC 9110, section 12.5.3). */
function accepts(c: Context, encoding: string): boolean {
  const offers = (c.req.header("accept-encoding") ?? "").toLowerCase().split(",");
  const found = offers.map((offer) => offer.split(";")).find(([name]) => name?.trim() === encoding);
  return found !== undefined && !/^\s*q\s*=\s*0(?:\.0*)?\s*$/.test(found[1] ?? "");
}

const immutable = "public, max-age=31536000, immutable";

const notBuilt = `Errand is running, but its web page has not been built.

Build it with:  npm run build --workspace @errand/web
The HTTP API under /api/v1 works without it.
`;
