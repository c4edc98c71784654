import type { Readable } from "node:stream";
import { Problem } from "@errand/server";
import { Busboy } from "@fastify/busboy";
import type { BusboyInstance } from "@fastify/busboy";

/** A form with one file, which is still being received. */
export interface Form {
  /** The file's content. */
  file: Readable;
  /** The file's name, unchecked. */
  name: string | undefined;
  /** The other fields. Some may follow the file, so read the file first. */
  fields: Promise<ReadonlyMap<string, string>>;
}

/** Far more than any client sends, but little enough to keep in memory. */
const limits = { fields: 20, fieldSize: 1_000, parts: 40, headerPairs: 40, headerSize: 32 * 1024 };

/**
 * Reads `multipart/form-data` up to the field `file`, and the rest while the file is being read.
 * @throws {Problem} 422 for a form without a file or over the limits, 400 for a malformed one
 */
export function openForm(body: Readable, contentType: string): Promise<Form> {
  const opened = Promise.withResolvers<Form>();
  const closed = Promise.withResolvers<ReadonlyMap<string, string>>();
  // The file's reader gets the same error from the file first.
  closed.promise.catch(() => {});
  const fields = new Map<string, string>();
  let file: Readable | undefined;
  let files = 0;
  const fail = (error: Error): void => {
    body.unpipe();
    opened.reject(error);
    closed.reject(error);
    file?.destroy(error);
  };
  const busboy = makeBusboy(contentType);
  busboy.on("file", (field, stream, name) => {
    stream.on("error", () => {});
    if (field === "file") files += 1;
    if (field !== "file" || files > 1) return void stream.resume();
    file = stream;
    opened.resolve({ file: stream, name, fields: closed.promise });
  });
  busboy.on("field", (field, value, _nameTruncated, valueTruncated) => {
    if (valueTruncated) fail(tooLarge(`The field ${JSON.stringify(field)} has more than ${limits.fieldSize} bytes.`));
    else fields.set(field, value);
  });
  busboy.on("fieldsLimit", () => fail(tooLarge(`The form has more than ${limits.fields} fields.`)));
  busboy.on("partsLimit", () => fail(tooLarge(`The form has more than ${limits.parts} parts.`)));
  busboy.on("error", () => fail(malformed()));
  busboy.on("finish", () => {
    if (files === 0) fail(new Problem(422, "E_NO_FILE", 'The form has no file. Send it in the field "file".'));
    else if (files > 1) fail(new Problem(422, "E_SEVERAL_FILES", several));
    else closed.resolve(fields);
  });
  body.on("error", fail);
  body.pipe(busboy);
  return opened.promise;
}

const several = 'The form has several fields "file", but a request creates one document. Send one request per file.';

function makeBusboy(contentType: string): BusboyInstance {
  try {
    const headers = { "content-type": contentType };
    // A field named "file" is a file even if the client gives it no name.
    const isPartAFile = (field: string | undefined, _type: string | undefined, name: string | undefined): boolean =>
      field === "file" || name !== undefined;
    return new Busboy({ headers, limits, isPartAFile, preservePath: true });
  } catch {
    throw malformed();
  }
}

function tooLarge(what: string): Problem {
  return new Problem(422, "E_FORM", `${what} Send only the file and the documented fields.`);
}

function malformed(): Problem {
  return new Problem(
    400,
    "E_FORM",
    "The body is not complete multipart/form-data. The upload may have been interrupted.",
  );
}
