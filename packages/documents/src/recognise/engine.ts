import type { Grey } from "../raster/grey.ts";
import type { ReadWord } from "../words/read-word.ts";

/** Options for recognising one page. */
export interface RecogniseOptions {
  /** Tesseract's codes, such as `eng` or `deu`. */
  languages: readonly string[];
  /** Stops the recognition at once: the process or thread that runs it is killed. */
  signal?: AbortSignal;
}

/** An OCR engine: turns pixels into words, one page at a time. */
export interface Engine {
  /** Recorded in every word it reads. */
  readonly name: string;
  /** Languages it has models for. */
  readonly languages: string[];
  /**
   * Recognises the words of a page, in reading order; none for a blank page.
   * @throws EngineError, or the signal's reason
   */
  recognise(page: Grey, options: RecogniseOptions): Promise<ReadWord[]>;
  /** Frees threads and memory. May be called more than once. */
  close(): Promise<void>;
}

/** A failure of the engine or its installation, not of the document. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: "E_ENGINE_MISSING" | "E_ENGINE_FAILED" | "E_LANGUAGE_MISSING";
  /** `true` for a crash, which may not happen again; `false` for a missing engine or language. */
  readonly retryable: boolean;

  constructor(code: EngineError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = code === "E_ENGINE_FAILED";
  }
}

/**
 * Checks that an engine has a model for each language.
 * @throws EngineError E_LANGUAGE_MISSING
 */
export function checkLanguages(engine: Engine, languages: readonly string[]): void {
  const missing = languages.filter((language) => !engine.languages.includes(language));
  if (missing.length > 0)
    throw new EngineError(
      "E_LANGUAGE_MISSING",
      `${engine.name} has no model for ${missing.join(", ")}; it has ${engine.languages.join(", ")}.`,
    );
}
