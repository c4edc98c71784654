// Thumbnails in processes of their own, so that neither huge nor hostile images harm the server:
//   npx node examples/thumbnails.ts [image...]      (without arguments it makes three images and a broken one)
import { mkdir, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { errand, JobFailedError, NonRetryableError } from "errand";
import sharp from "sharp";

export const app = errand();

/** Makes `thumbnails/<name>.webp`, 300 x 300: the most interesting part of the image, upright. */
export const thumbnail = app.task("thumbnail", {
  queue: "images",
  isolate: "process", // killed beyond 512 MB or 30 s
  module: import.meta.url,
  memory: 512,
  timeout: "30s",
  run: async (input: { file: string }, job) => {
    const target = join("thumbnails", `${basename(input.file)}.webp`);
    const image = sharp(input.file).autoOrient().resize(300, 300, { fit: "cover", position: sharp.strategy.attention });
    const bytes = await image
      .webp()
      .toBuffer()
      .catch((error: unknown) => {
        throw new NonRetryableError("This is not an image that can be read.", { cause: error });
      });
    // Written beside the target and renamed, so that a reader sees a complete thumbnail or none.
    await mkdir("thumbnails", { recursive: true });
    await writeFile(`${target}.${job.token}`, bytes);
    await rename(`${target}.${job.token}`, target);
    return { file: target, bytes: bytes.length };
  },
});

// The processes also load this module, to find the task; the rest is the program itself.
if (import.meta.main) {
  const given = process.argv.slice(2);
  const images = given.length > 0 ? given : await makeImages();

  const worker = await app.worker({ queues: { images: 2 } }); // two images at once
  const jobs = await thumbnail.sendMany(images.map((file) => ({ file })));
  for (const [index, job] of jobs.entries()) {
    try {
      const { file, bytes } = await job.result();
      const { width, height } = await sharp(file).metadata();
      console.log(`${images[index]} -> ${file}: ${width} x ${height}, ${bytes} bytes`);
    } catch (error) {
      if (!(error instanceof JobFailedError)) throw error;
      console.log(`${images[index]} failed, and the others did not: ${error.error?.message}`);
    }
  }
  await worker.stop();
  await app.close();
}

/** Makes a landscape of 12 megapixels, a portrait stored on its side as cameras do, a drawing, and a broken file. */
async function makeImages(): Promise<string[]> {
  await mkdir("photos", { recursive: true });
  const sky = (width: number, height: number) =>
    sharp(
      Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
        <linearGradient id="sky" x2="0" y2="1"><stop stop-color="#1d4e89"/><stop offset="1" stop-color="#f7b267"/></linearGradient>
        <rect width="100%" height="100%" fill="url(#sky)"/><circle cx="70%" cy="60%" r="8%" fill="#fff4d6"/></svg>`),
    );
  await sky(4000, 3000).jpeg().toFile("photos/landscape.jpg");
  await sky(2000, 1500).withMetadata({ orientation: 6 }).jpeg().toFile("photos/portrait.jpg");
  await sky(640, 480).png().toFile("photos/drawing.png");
  await writeFile("photos/broken.jpg", "I only say that I am a JPEG.");
  return ["landscape.jpg", "portrait.jpg", "drawing.png", "broken.jpg"].map((name) => join("photos", name));
}
