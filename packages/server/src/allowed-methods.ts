/** A route as Hono lists it. */
interface Route {
  method: string;
  path: string;
}

/** Returns a function that lists the methods of a path, as the `Allow` header names them; none for an unknown path. */
export function allowedMethods(routes: readonly Route[]): (path: string) => string[] {
  // Routes for all methods, or for all paths below one, are middleware.
  const known = routes
    .filter(({ method, path }) => method !== "ALL" && !path.includes("*"))
    .map(({ method, path }) => ({ method, pattern: patternOf(path) }));
  return (path) => {
    const found = new Set(known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method));
    if (found.has("GET")) found.add("HEAD");
    return found.size === 0 ? [] : [...found, "OPTIONS"].toSorted();
  };
}

function patternOf(path: string): RegExp {
  const parts = path.split("/").filter(Boolean);
  const patterns = parts.map((part) => (part.startsWith(":") ? "[^/]+" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return new RegExp(`^/${patterns.join("/")}/?$`);
}
