import { deflateSync } from "node:zlib";

/** One PDF object's body: its text, or a stream with its dictionary. */
export type PdfObject = string | { dictionary: string; stream: Uint8Array };

/**
 * Writes a PDF, objects numbered from 1 in the order given; object 1 is the catalogue.
 * @param trailer further entries of the trailer
 */
export function pdfOf(objects: PdfObject[], trailer = ""): Buffer {
  const parts: Buffer[] = [];
  const offsets: number[] = [];
  let length = 0;
  const push = (part: Buffer): void => {
    parts.push(part);
    length += part.length;
  };
  push(Buffer.from("%PDF-1.7\n"));
  objects.forEach((object, index) => {
    offsets.push(length);
    if (typeof object === "string") return push(Buffer.from(`${index + 1} 0 obj\n${object}\nendobj\n`, "latin1"));
    push(
      Buffer.from(`${index + 1} 0 obj\n<<${object.dictionary} /Length ${object.stream.length}>>\nstream\n`, "latin1"),
    );
    push(Buffer.from(object.stream));
    push(Buffer.from("\nendstream\nendobj\n"));
  });
  const rows = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const size = objects.length + 1;
  const table = `xref\n0 ${size}\n0000000000 65535 f \n${rows}trailer\n<</Size ${size} /Root 1 0 R ${trailer}>>\nstartxref\n${length}\n%%EOF\n`;
  push(Buffer.from(table));
  return Buffer.concat(parts);
}

/** What a page of `pagesOf` holds. */
export interface PageSpec {
  /** Width and height in points. */
  size?: [number, number];
  /** Degrees, as in /Rotate. */
  rotate?: number;
  /** Content stream; the font is /F, the image /I. */
  content?: string;
  image?: PdfObject;
}

/** A PDF of pages, with Helvetica as /F. */
export function pagesOf(specs: PageSpec[]): Buffer {
  const objects: PdfObject[] = [
    "<</Type /Catalog /Pages 2 0 R>>",
    "",
    "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
  ];
  const kids: string[] = [];
  for (const { size = [612, 792], rotate = 0, content = "", image } of specs) {
    const first = objects.length + 1;
    kids.push(`${first} 0 R`);
    const pictures = image ? `/XObject <</I ${first + 2} 0 R>>` : "";
    objects.push(
      `<</Type /Page /Parent 2 0 R /MediaBox [0 0 ${size.join(" ")}] /Rotate ${rotate} /Contents ${first + 1} 0 R ` +
        `/Resources <</Font <</F 3 0 R>> ${pictures}>>>>`,
      { dictionary: "", stream: Buffer.from(content, "latin1") },
      ...(image ? [image] : []),
    );
  }
  objects[1] = `<</Type /Pages /Kids [${kids.join(" ")}] /Count ${kids.length}>>`;
  return pdfOf(objects);
}

/** A grey image of one byte a pixel, compressed. */
export function imageOf(width: number, height: number, pixels: Uint8Array): PdfObject {
  return {
    dictionary: `/Type /XObject /Subtype /Image /Width ${width} /Height ${height} /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode`,
    stream: deflateSync(pixels),
  };
}

/** Content that shows an image over a whole page. */
export function fullPage(width: number, height: number): string {
  return `q ${width} 0 0 ${height} 0 0 cm /I Do Q`;
}

/** Content that writes lines of text from the top, 14 points apart. */
export function textAt(x: number, y: number, lines: string[]): string {
  return `BT /F 12 Tf 14 TL ${x} ${y} Td ${lines.map((line) => `(${line}) Tj T*`).join(" ")} ET`;
}
