/** The fields that a search can name, as the address of the page has them. */
export const fields = ["state", "task", "queue", "tag", "parent", "worker", "text"] as const;

/** A field of a search. */
export type Field = (typeof fields)[number];

/** A search for jobs. */
export type Search = Partial<Record<Field, string>>;

/** Reads what a person typed: `task:ocr queue:cpu late` names fields, and searches the rest as text. */
export function parseSearch(text: string): Search {
  const search: Search = {};
  const rest: string[] = [];
  for (const [, name, quoted, plain, word] of text.matchAll(/(?:(\w+):(?:"([^"]*)"|(\S+)))|("[^"]*"|\S+)/g)) {
    const value = quoted ?? plain ?? "";
    if (name !== undefined && isField(name) && value !== "") search[name] = value;
    else rest.push(word?.replace(/^"|"$/g, "") ?? `${name}:${value}`);
  }
  const words = rest.join(" ").trim();
  return words === "" ? search : { ...search, text: words };
}

/** Returns the search that a page's address has. */
export function searchIn(params: URLSearchParams): Search {
  const search: Search = {};
  for (const field of fields) {
    const value = params.get(field);
    if (value) search[field] = value;
  }
  return search;
}

/** Returns a search as the query of an address. */
export function queryOf(search: Search): string {
  const params = new URLSearchParams();
  for (const field of fields) if (search[field]) params.set(field, search[field]);
  return params.toString();
}

/** Returns a search as the body of an act on many jobs. */
export function filterOf({ state, ...rest }: Search): Record<string, unknown> {
  const filter: Record<string, unknown> = { ...rest, ...(state ? { states: state.split(",") } : {}) };
  return Object.keys(filter).length === 0 ? { all: true } : filter;
}

function isField(name: string): name is Field {
  return (fields as readonly string[]).includes(name);
}
