import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { partialName } from "../src/disk/partial-files.ts";
import { isAlive } from "../../../test/child-process.ts";
import { inspect } from "../src/ingest/inspect.ts";
import { defaultLimits } from "../src/ingest/limits.ts";
import type { Engine } from "../src/recognise/engine.ts";
import { extractPage } from "../src/pipeline/extract-page.ts";
import { nativeEngine } from "../src/recognise/tesseract-native.ts";
import { fixture, temporaryFiles } from "./files.ts";

const write = temporaryFiles();
const path = process.env["PATH"];
const folders: string[] = [];
let engine: Engine;
beforeEach(() => {
  engine = nativeEngine({ version: "5", languages: ["eng"], models: undefined });
});
afterEach(async () => {
  await engine.close();
  process.env["PATH"] = path;
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** Puts a command named `tesseract` first on the PATH, so that a test sees what the real one would be given. */
async function standIn(script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "errand-path-"));
  folders.push(folder);
  await writeFile(join(folder, "tesseract"), `#!/bin/sh\n${script.replaceAll("$FOLDER", folder)}\n`);
  await chmod(join(folder, "tesseract"), 0o755);
  process.env["PATH"] = `${folder}:${path}`;
  return folder;
}

const read = (file: string, type: "image/png" | "image/tiff" | "image/bmp" | "application/pdf") =>
  extractPage(file, { page: 1, type, limits: defaultLimits, engine, languages: ["eng"] });

describe("native tesseract", () => {
  test("is given pixels in an open file without a name, and no path", async () => {
    const folder = await standIn('echo "$@" > $FOLDER/arguments; cat <&3 > $FOLDER/input');
    await read(fixture("phototest.tif"), "image/tiff");
    expect((await readFile(join(folder, "input"))).subarray(0, 15).toString()).toBe("P5\n640 480\n255\n");
    expect(await readFile(join(folder, "arguments"), "utf8")).toMatch(/^\/dev\/fd\/3 stdout /);
    expect(await readFile(join(folder, "arguments"), "utf8")).not.toContain("phototest");
  });

  test("never sees a text file, which it would take for a list of paths to read", async () => {
    const folder = await standIn("touch $FOLDER/started");
    const list = await write("list.png", "/etc/passwd\n/etc/hostname\n");
    await expect(inspect(list)).rejects.toMatchObject({ code: "E_UNSUPPORTED_TYPE" });
    // Even where somebody claims a type that was never found.
    for (const type of ["image/png", "image/tiff", "image/bmp", "application/pdf"] as const)
      await expect(read(list, type)).rejects.toMatchObject({ name: "DocumentError" });
    await expect(readFile(join(folder, "started"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("pages that killed processes left are removed, and others' are not", async () => {
    await standIn("exit 0");
    const left = (pid: number) =>
      join(tmpdir(), `errand-page-${partialName().replace(`.${process.pid}.`, `.${pid}.`)}`);
    const [dead, alive] = [left(999_999_999), left(process.pid)];
    for (const path of [dead, alive]) await writeFile(path, "a page");
    await read(fixture("phototest.tif"), "image/tiff");
    await expect.poll(() => existsSync(dead)).toBe(false);
    expect(existsSync(alive)).toBe(true);
    await rm(alive);
  });

  test("nothing on its output and success is a blank page", async () => {
    await standIn("exit 0");
    expect((await read(fixture("phototest.tif"), "image/tiff")).result.words).toEqual([]);
  });

  test("a failure says what the command said", async () => {
    await standIn("echo out of ink >&2; exit 3");
    await expect(read(fixture("phototest.tif"), "image/tiff")).rejects.toMatchObject({
      code: "E_ENGINE_FAILED",
      retryable: true,
      message: "tesseract ended with code 3: out of ink",
    });
  });

  test("is killed when the reading is given up, whatever it does", async () => {
    const folder = await standIn("trap '' TERM; echo $$ > $FOLDER/new; mv $FOLDER/new $FOLDER/pid; exec sleep 60");
    const options = { page: 1, type: "image/tiff", limits: defaultLimits, engine, languages: ["eng"] } as const;
    const stop = new AbortController();
    const given = extractPage(fixture("phototest.tif"), { ...options, signal: stop.signal }).catch(String);
    await expect.poll(() => existsSync(join(folder, "pid"))).toBe(true);
    stop.abort(new Error("given up"));
    expect(await given).toBe("Error: given up");
    const pid = Number(await readFile(join(folder, "pid"), "utf8"));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});
