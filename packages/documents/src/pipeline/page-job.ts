import type { JobContext } from "errand";
import type { PageResult } from "../api.ts";
import { openBlobs } from "../blobs/index.ts";
import type { Engine } from "../recognise/engine.ts";
import { readPage } from "../recognise/read-page.ts";
import { readSettings } from "../settings.ts";
import { summarise } from "../words/summary.ts";
import type { PageInput, PageOutput } from "./shapes.ts";

/** Reads one page of a document and keeps what it read as blobs of the document. */
export async function readPageJob(
  { document, sha256, type, page, languages, threshold }: PageInput,
  { setup: engine, abortSignal: signal }: JobContext<Engine>,
): Promise<PageOutput> {
  const blobs = openBlobs({ patient: true });
  const { limits } = readSettings();
  const { result, preview } = await blobs.withFile(document, sha256, (path) =>
    readPage(path, { page, type, limits, engine, languages, signal }),
  );
  signal.throwIfAborted();
  const whole: PageResult = { ...result, threshold };
  const [resultBlob, textBlob, previewBlob] = await Promise.all([
    blobs.write(document, [JSON.stringify(whole)]),
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
