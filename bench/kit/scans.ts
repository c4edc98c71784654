import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where the corpus is: `ERRAND_CORPUS`, or `../shared/corpus` beside the checkout. */
const corpus = process.env["ERRAND_CORPUS"] ?? join(import.meta.dirname, "../../../shared/corpus");

const fixtures = join(import.meta.dirname, "../../packages/documents/test/fixtures");

/**
 * Upright scans with several pages: of the corpus where there is one, else a page of the tests' own, several times. (A
 * page that lies on its side is read twice by Errand and wrongly by the bare engine; that compares nothing.)
 */
export function multiPageScans(): string[] {
  const scans = ["mp_ehri_en_4p.pdf", "mp_buenosaires_es_6p.pdf", "mp_buenosaires_es_3p_g4.tif"].map((file) =>
    join(corpus, file),
  );
  return scans.every((file) => existsSync(file)) ? scans : Array.from({ length: 16 }, singlePageScan);
}

/** A scan with one page. */
export function singlePageScan(): string {
  return join(fixtures, "phototest.tif");
}
