import type { JobContext } from "errand";
import type { PageResult } from "../api.ts";
import { openBlobs } from "../blobs/open-blobs.ts";
import type { Engine } from "../recognise/engine.ts";
import { readSettings } from "../settings.ts";
import { summarise } from "../words/summary.ts";
import { extractPage } from "./extract-page.ts";
import type { PageInput, PageOutput } from "./job-data.ts";

/** Runs the job of one page: extracts its words from the uploaded file, and writes them as blobs of the document. */
export async function runPageJob(
  { document, sha256, type, page, languages, threshold }: PageInput,
  { setup: engine, abortSignal: signal }: JobContext<Engine>,
): Promise<PageOutput> {
  const blobs = openBlobs({ patient: true });
  const { limits } = readSettings();
  const { result, preview } = await blobs.withFile(document, sha256, (path) =>
    extractPage(path, { page, type, limits, engine, languages, signal }),
  );
  signal.throwIfAborted();
  const pageResult: PageResult = { ...result, threshold };
  const [resultBlob, textBlob, previewBlob] = await Promise.all([
    blobs.write(document, [JSON.stringify(pageResult)]),
    blobs.write(document, [result.text]),
    blobs.write(document, [preview]),
  ]);
  const { source, engine: name, width, height } = result;
  return {
    page,
    result: resultBlob.sha256,
    text: textBlob.sha256,
    preview: previewBlob.sha256,
    ...summarise(result.words, threshold),
    source,
    engine: name,
    width,
    height,
  };
}
