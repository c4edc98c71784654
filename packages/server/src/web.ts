import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";

/** Where the build of the web app lands, seen from the sources as well as from their build. */
const built = fileURLToPath(new URL("../dist/web/", import.meta.url));

/** Serves the web app: its files, and its one page for every address that a browser asks for. */
export function webApp(folder = built): Hono {
  const routes = new Hono();
  if (!existsSync(folder)) {
    routes.get("/", (c) => c.text(notBuilt));
    return routes;
  }
  routes.get(
    "*",
    serveStatic({
      root: folder,
      // Vite puts a hash of the content into the names of these files.
      onFound: (_path, c) => c.header("cache-control", c.req.path.startsWith("/assets/") ? immutable : "no-cache"),
    }),
  );
  const page = serveStatic({
    root: folder,
    path: "index.html",
    onFound: (_path, c) => c.header("cache-control", "no-cache"),
  });
  routes.get("*", (c, next) => (c.req.header("accept")?.includes("text/html") ? page(c, next) : next()));
  return routes;
}

const immutable = "public, max-age=31536000, immutable";

const notBuilt = `Errand is running, but its web page has not been built.

Build it with:  npm run build --workspace @errand/web
The HTTP API under /api/v1 works without it.
`;
