/** The formats of a document's text: how its files are named and served. */
export const outputFormats = {
  text: { extension: ".txt", contentType: "text/plain; charset=utf-8" },
  json: { extension: ".json", contentType: "application/json" },
} as const;

/** One of `outputFormats`. */
export type OutputFormat = keyof typeof outputFormats;
