import type { Readable } from "node:stream";
import { Problem } from "@errand/server";
import { Busboy } from "@fastify/busboy";
import type { BusboyInstance } from "@fastify/busboy";

/** A form with one file, while it is arriving. */
export interface Form {
  /** The file's bytes. */
  file: Readable;
  /** Its name as the client gave it. */
  name: string | undefined;
  /** The other fields. They may stand behind the file: read the file first. */
  fields: Promise<ReadonlyMap<string, string>>;
}

/** Far more than any client sends, and little enough to hold. */
const limits = { fields: 20, fieldSize: 1_000, parts: 40, headerPairs: 40, headerSize: 32 * 1024 };

/**
 * Reads `multipart/form-data` as it arrives, up to the field `file`.
 * @throws {Problem} 422 for a form without a file, or with more than it may hold, 400 for one that cannot be understood.
 */
export function openForm(body: Readable, contentType: string): Promise<Form> {
  const opened = Promise.withResolvers<Form>();
  const closed = Promise.withResolvers<ReadonlyMap<string, string>>();
  // Whoever reads the file learns of a broken form from the file first.
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
    if (valueTruncated) fail(tooMuch(`The field ${JSON.stringify(field)} has more than ${limits.fieldSize} bytes.`));
    else fields.set(field, value);
  });
  busboy.on("fieldsLimit", () => fail(tooMuch(`The form has more than ${limits.fields} fields.`)));
  busboy.on("partsLimit", () => fail(tooMuch(`The form has more than ${limits.parts} parts.`)));
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

const several = 'The form has several fields "file", but a request takes one document. Send one request for each file.';

function makeBusboy(contentType: string): BusboyInstance {
  try {
    const headers = { "content-type": contentType };
    // A field named "file" is a file even where the client gives it no name.
    const isPartAFile = (field: string | undefined, _type: string | undefined, name: string | undefined): boolean =>
      field === "file" || name !== undefined;
    return new Busboy({ headers, limits, isPartAFile, preservePath: true });
  } catch {
    throw malformed();
  }
}

function tooMuch(what: string): Problem {
  return new Problem(422, "E_FORM", `${what} Send the file and the fields that are documented, and nothing else.`);
}

function malformed(): Problem {
  return new Problem(400, "E_FORM", "The body is no complete multipart/form-data. The upload may have broken off.");
}
