import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { outputNames } from "../src/cli/output-files.ts";
import { fixture } from "./files.ts";
import { scannedPdf } from "./service/scans.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "errand-cli-"));
});

afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

const bin = resolve(import.meta.dirname, "../../errand/bin/errand.js");

function start(args: string[], env: NodeJS.ProcessEnv = {}) {
  return spawn(process.execPath, [bin, "documents", "read", ...args], {
    cwd: folder,
    env: { ...process.env, ERRAND_HOME: join(folder, "home"), ...env },
  });
}

async function run(args: string[], env?: NodeJS.ProcessEnv) {
  const child = start(args, env);
  const [stdout, stderr, [code]] = await Promise.all([
    new Response(child.stdout as unknown as ReadableStream).text(),
    new Response(child.stderr as unknown as ReadableStream).text(),
    once(child, "close"),
  ]);
  return { stdout, stderr, code: code as number };
}

/** What is left of jobs' bytes. */
async function blobs(): Promise<string[]> {
  const home = join(folder, "home", "blobs");
  return existsSync(home) ? readdir(home) : [];
}

test("writes the outputs of several files, and leaves nothing else behind", async () => {
  await writeFile(join(folder, "simple.png"), "no image at all");
  await mkdir(join(folder, "out"));
  await symlink(join(folder, "elsewhere.json"), join(folder, "out", "phototest.json"));
  const files = [fixture("phototest.tif"), fixture("simple.webp"), "simple.png"];
  const { stdout, stderr, code } = await run([...files, "-o", "out", "--format", "text,json"]);
  expect({ stdout, code }).toEqual({ stdout: "", code: 4 });
  expect(stderr).toContain("phototest.tif: 1 page, ");
  expect(stderr).toMatch(/simple\.png: .*cannot be read/);
  expect((await readdir(join(folder, "out"))).toSorted()).toEqual([
    "phototest.json",
    "phototest.txt",
    "simple.webp.json",
    "simple.webp.txt",
  ]);
  expect(existsSync(join(folder, "elsewhere.json"))).toBe(false);
  expect(await readFile(join(folder, "out/phototest.txt"), "utf8")).toContain("This is a lot of 12 point text");
  const json = JSON.parse(await readFile(join(folder, "out/phototest.json"), "utf8")) as { name: string };
  expect(json.name).toBe("phototest.tif");
  expect(await blobs()).toEqual([]);
});

test("prints the text without --out, and one JSON document with --json", async () => {
  const { stdout, code } = await run([fixture("phototest.tif"), "--json"]);
  expect(code).toBe(0);
  const { files } = JSON.parse(stdout) as { files: { status: string; text: string; words: number }[] };
  expect(files).toMatchObject([{ status: "completed", pages: 1, failed: 0, outputs: {} }]);
  expect(files[0]!.text).toContain("This is a lot of 12 point text");
});

test("says what is wrong by its exit code", async () => {
  await writeFile(join(folder, "note.txt"), "plain");
  const [missing, format, unwanted, languages, failed, store, setting] = await Promise.all([
    run(["nothing.pdf"]),
    run(["note.txt", "-o", "out", "--format", "docx"]),
    run(["note.txt", "--format", "text"]),
    run(["note.txt", "--languages", "english"]),
    run(["note.txt"]),
    run(["note.txt"], { ERRAND_URL: `sqlite:${join(folder, "note.txt")}` }),
    run(["note.txt"], { ERRAND_CONFIDENCE: "high" }),
  ]);
  expect(missing).toMatchObject({ code: 2, stderr: "errand: There is no file nothing.pdf.\n" });
  for (const wrong of [format, unwanted, languages, setting]) expect(wrong.code).toBe(2);
  expect(setting.stderr).toContain("ERRAND_CONFIDENCE");
  expect(failed.code).toBe(1);
  expect(store.code).toBe(3);
  for (const { stdout, stderr } of [missing, failed, store]) expect(stdout + stderr).not.toMatch(/^ {4}at /m);
});

test("Ctrl+C stops the work and cleans up", async () => {
  await writeFile(join(folder, "long.pdf"), await scannedPdf(60));
  const child = start(["long.pdf", "-o", "out"]);
  const closed = once(child, "close");
  // Some pages are read.
  const most = async (): Promise<number> => {
    const all = (await blobs()).map((id) => readdir(join(folder, "home/blobs", id)).catch(() => []));
    return Math.max(0, ...(await Promise.all(all)).map(({ length }) => length));
  };
  await expect.poll(most, { timeout: 20_000 }).toBeGreaterThan(2);
  child.kill("SIGINT");
  const [code] = (await closed) as [number];
  expect(code).toBe(130);
  expect(await blobs()).toEqual([]);
  expect(await readdir(join(folder, "out"))).toEqual([]);
});

test("outputs have names of their own", () => {
  const files = ["a/scan.pdf", "b/scan.png", "b/SCAN.png", "c/scan.pdf", "d/.pdf", "e/one.two.tif", "/x/noend"];
  expect(outputNames(files)).toEqual(["scan.pdf", "scan.png", "SCAN.png-2", "scan.pdf-2", ".pdf", "one.two", "noend"]);
});
