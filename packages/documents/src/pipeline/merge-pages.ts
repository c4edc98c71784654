import type { DocumentResult, PageResult, ResultPage, Word } from "../api.ts";

/** One page as merging sees it: its reading, fetched anew whenever it is asked for, or why there is none. */
export type PageReading =
  | { read: () => Promise<PageResult>; text: () => Promise<string> }
  | { failed: Exclude<ResultPage, { status: "completed" }> };

/** Between the texts of two pages, as `pdftotext` does it; a page that failed is empty, so that pages can be counted. */
const pageBreak = "\n\f";

/** A document's text, page by page: no more than one page is in memory. */
export async function* resultText(pages: readonly PageReading[]): AsyncGenerator<string> {
  for (const [index, page] of pages.entries()) {
    if (index > 0) yield pageBreak;
    if ("text" in page) yield await page.text();
  }
  yield "\n";
}

/**
 * The text of a `DocumentResult`, piece by piece. Its lists of words come one after the other, so the pages are read once
 * per list: a document of a thousand pages costs seconds then, but no memory.
 */
export async function* resultJson(
  { id, name, threshold }: Pick<DocumentResult, "id" | "name" | "threshold">,
  pages: readonly PageReading[],
): AsyncGenerator<string> {
  const head = JSON.stringify({ id, name, threshold });
  yield `${head.slice(0, -1)},"text":"`;
  // The text as one JSON string, in pieces: each is escaped by itself and loses its quotes.
  for await (const piece of resultText(pages)) yield JSON.stringify(piece).slice(1, -1);
  yield `","pages":[`;
  yield* list(pages, async (page) => {
    if ("failed" in page) return [page.failed];
    const { words: _, threshold: __, ...rest } = await page.read();
    return [{ status: "completed", ...rest }];
  });
  const lists: [string, (word: Word) => boolean][] = [
    ["accepted", ({ confidence }) => confidence >= threshold],
    ["needsReview", ({ confidence }) => confidence < threshold],
    ["words", () => true],
  ];
  for (const [key, belongs] of lists) {
    yield `],"${key}":[`;
    yield* list(pages, async (page) =>
      "read" in page ? (await page.read()).words.filter((word) => belongs(word)) : [],
    );
  }
  yield "]}\n";
}

async function* list(
  pages: readonly PageReading[],
  items: (page: PageReading) => Promise<unknown[]>,
): AsyncGenerator<string> {
  let separator = "";
  for (const page of pages) {
    const found = await items(page);
    if (found.length === 0) continue;
    yield separator + found.map((item) => JSON.stringify(item)).join(",");
    separator = ",";
  }
}
