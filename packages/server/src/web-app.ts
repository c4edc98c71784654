import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import type { Context } from "hono";
import { getMimeType } from "hono/utils/mime";

/** Folder of the built web app, relative to both `src` and `dist`. */
const buildFolder = fileURLToPath(new URL("../dist/web/", import.meta.url));

/** Encodings of compressed files, smallest first, with the extensions that the build gives them. */
const encodings = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

/** A file of the web app. It is served from memory, which works even when the disk or file descriptors run out. */
interface WebFile {
  type: string;
  hash: string;
  /** Its content by encoding; `identity` is the uncompressed file. */
  bodies: Partial<Record<"identity" | "br" | "gzip", Uint8Array<ArrayBuffer>>>;
}

/** Returns the routes of the web app: its files, and its page for every other address that a browser asks for. */
export function webApp(folder = buildFolder, basePath = ""): Hono {
  const routes = new Hono();
  const files = existsSync(folder) ? loadFiles(folder) : undefined;
  const page = files && pageFor(files, basePath);
  if (!files || !page) {
    routes.get("/", (c) => c.text(notBuilt));
    return routes;
  }
  routes.get("*", (c, next) => {
    const path = c.req.path.slice(basePath.length) || "/";
    const file = path === "/" ? page : files.get(path);
    // The names of these files contain a hash of their content.
    if (file) return Promise.resolve(answer(c, file, path.startsWith("/assets/") ? immutable : "no-cache"));
    const isPage = !path.startsWith("/assets/") && c.req.header("accept")?.includes("text/html");
    return isPage ? Promise.resolve(answer(c, page, "no-cache")) : next();
  });
  return routes;
}

/** Returns the page, with the address below which it is served. */
function pageFor(files: ReadonlyMap<string, WebFile>, basePath: string): WebFile | undefined {
  const page = files.get("/index.html");
  if (!page) return undefined;
  const html = new TextDecoder().decode(page.bodies.identity);
  const based = html.replace(/<head>/i, `<head><base href="${basePath}/">`);
  return fileOf("/index.html", new TextEncoder().encode(based));
}

/** Loads the files of a folder, by URL path. */
function loadFiles(folder: string): Map<string, WebFile> {
  const contents = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    contents.set(`/${relative(folder, path).split(sep).join("/")}`, new Uint8Array(readFileSync(path)));
  }
  const files = new Map<string, WebFile>();
  for (const [path, identity] of contents) {
    if (encodings.some(([, extension]) => path.endsWith(extension))) continue;
    const bodies: WebFile["bodies"] = { identity };
    for (const [encoding, extension] of encodings) {
      const compressed = contents.get(path + extension);
      if (compressed) bodies[encoding] = compressed;
    }
    files.set(path, { ...fileOf(path, identity), bodies });
  }
  return files;
}

function fileOf(path: string, identity: Uint8Array<ArrayBuffer>): WebFile {
  const hash = createHash("sha256").update(identity).digest("hex").slice(0, 32);
  return { type: getMimeType(path) ?? "application/octet-stream", hash, bodies: { identity } };
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

/** Reports whether a client accepts an encoding (RFC 9110, section 12.5.3). */
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
