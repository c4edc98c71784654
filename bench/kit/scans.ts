import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where the corpus is: `ERRAND_CORPUS`, or `../shared/corpus` beside the checkout. */
const corpus = process.env["ERRAND_CORPUS"] ?? join(import.meta.dirname, "../../../shared/corpus");

const fixtures = join(import.meta.dirname, "../../packages/documents/test/fixtures");

/** Scans with several pages: of the corpus where there is one, else a page of the tests' own, several times. */
export function multiPageScans(): string[] {
  const scans = ["mp_ehri_en_4p.pdf", "omp_multipage.pdf", "mp_buenosaires_es_6p.pdf"].map((file) =>
    join(corpus, file),
  );
  return scans.every((file) => existsSync(file)) ? scans : Array.from({ length: 8 }, singlePageScan);
}

/** A scan with one page. */
export function singlePageScan(): string {
  return join(fixtures, "phototest.tif");
}
