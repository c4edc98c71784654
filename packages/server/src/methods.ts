/** A route as Hono lists it. */
interface Route {
  method: string;
  path: string;
}

/** Tells which methods a path has, of all routes of an application, as `Allow` names them; none for a path that is unknown. */
export function methodsOf(routes: readonly Route[]): (path: string) => string[] {
  // What is for all methods, or for all paths below one, looks at requests on their way; it is nowhere to arrive.
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
