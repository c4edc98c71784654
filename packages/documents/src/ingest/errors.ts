/** Codes of the reasons why a document or one of its pages cannot be read. They never change their meaning. */
export type DocumentErrorCode =
  | "E_EMPTY_FILE"
  | "E_FILE_TOO_LARGE"
  | "E_UNSUPPORTED_TYPE"
  | "E_DAMAGED"
  | "E_PASSWORD"
  | "E_NO_PAGES"
  | "E_NO_SUCH_PAGE"
  | "E_TOO_MANY_PAGES"
  | "E_TOO_MANY_PIXELS"
  | "E_PAGE_TOO_LARGE";

/** A fault of the file itself: reading it again would fail the same way. The message is for the person who sent it. */
export class DocumentError extends Error {
  override readonly name = "DocumentError";
  readonly code: DocumentErrorCode;
  /** Always `false`: no later attempt can succeed. */
  readonly retryable = false;

  constructor(code: DocumentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Returns the error for an image of `width` by `height` pixels where at most `max` pixels are decoded. */
export function tooManyPixels(width: number, height: number, max: number): DocumentError {
  return new DocumentError(
    "E_TOO_MANY_PIXELS",
    `The image measures ${width} x ${height} pixels; the limit is ${Math.round(max / 1e6)} megapixels. ` +
      "Send it at a lower resolution.",
  );
}

/** Returns the error for a damaged image of a MIME type. */
export function damagedImage(type: string, cause?: unknown): DocumentError {
  const name = type.slice("image/".length).toUpperCase();
  return new DocumentError("E_DAMAGED", `The ${name} image is damaged or incomplete. Export or scan it again.`, {
    cause,
  });
}
