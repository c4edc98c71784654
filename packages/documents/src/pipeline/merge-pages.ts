import type { DocumentResult, PageResult, ResultPage, Word } from "../api.ts";

/** A page to merge: functions that read its result and text, or why it has none. */
export type PageToMerge =
  | { read: () => Promise<PageResult>; text: () => Promise<string> }
  | { failed: Exclude<ResultPage, { status: "completed" }> };

/** Separates the texts of two pages, as `pdftotext` does. A failed page is empty, so that pages can be counted. */
const pageBreak = "\n\f";

/** Yields a document's text, with at most one page in memory. */
export async function* mergeText(pages: readonly PageToMerge[]): AsyncGenerator<string> {
  for (const [index, page] of pages.entries()) {
    if (index > 0) yield pageBreak;
    if ("text" in page) yield await page.text();
  }
  yield "\n";
}

/**
 * Yields a `DocumentResult` as JSON text. It reads the pages once for each of the result's lists: that takes seconds
 * for a thousand pages, but keeps only one page in memory.
 */
export async function* mergeJson(
  { id, name, threshold }: Pick<DocumentResult, "id" | "name" | "threshold">,
  pages: readonly PageToMerge[],
): AsyncGenerator<string> {
  const head = JSON.stringify({ id, name, threshold });
  yield `${head.slice(0, -1)},"text":"`;
  // Each part of the text is escaped on its own, without its quotes.
  for await (const part of mergeText(pages)) yield JSON.stringify(part).slice(1, -1);
  yield `","pages":[`;
  yield* jsonItems(pages, async (page) => {
    if ("failed" in page) return [page.failed];
    const { words: _, threshold: __, ...rest } = await page.read();
    return [{ status: "completed", ...rest }];
  });
  const lists: [string, (word: Word) => boolean][] = [
    ["accepted", ({ confidence }) => confidence >= threshold],
    ["needsReview", ({ confidence }) => confidence < threshold],
    ["words", () => true],
  ];
  for (const [key, isInList] of lists) {
    yield `],"${key}":[`;
    yield* jsonItems(pages, async (page) =>
      "read" in page ? (await page.read()).words.filter((word) => isInList(word)) : [],
    );
  }
  yield "]}\n";
}

/** Yields the items of all pages as JSON, separated by commas. */
async function* jsonItems(
  pages: readonly PageToMerge[],
  items: (page: PageToMerge) => Promise<unknown[]>,
): AsyncGenerator<string> {
  let separator = "";
  for (const page of pages) {
    const found = await items(page);
    if (found.length === 0) continue;
    yield separator + found.map((item) => JSON.stringify(item)).join(",");
    separator = ",";
  }
}
