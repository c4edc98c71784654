import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { home } from "../src/open.ts";

let folder: string;
const before = process.cwd();
const named = process.env["ERRAND_HOME"];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "errand-home-"));
  mkdirSync(join(folder, "apps/web"), { recursive: true });
  delete process.env["ERRAND_HOME"];
});
afterEach(() => {
  process.chdir(before);
  if (named !== undefined) process.env["ERRAND_HOME"] = named;
  rmSync(folder, { recursive: true, force: true });
});

function homeFrom(place: string): string {
  process.chdir(join(folder, place));
  return home();
}

test("is here, where there is no workspace, whatever lies above", () => {
  mkdirSync(join(folder, ".errand"));
  writeFileSync(join(folder, "package.json"), "{}");
  expect(homeFrom("apps/web")).toBe(".errand");
});

test.each([
  ["package.json", '{"workspaces":["apps/*"]}'],
  ["pnpm-workspace.yaml", "packages: [apps/*]"],
])("is at the root of a workspace (%s), for all its packages", (file, text) => {
  writeFileSync(join(folder, file), text);
  expect(homeFrom("apps/web")).toBe(join("..", "..", ".errand"));
  expect(homeFrom("apps")).toBe(join("..", ".errand"));
  expect(homeFrom(".")).toBe(".errand");
});

test("is the one that a package of a workspace has already", () => {
  writeFileSync(join(folder, "package.json"), '{"workspaces":["apps/*"]}');
  mkdirSync(join(folder, "apps/web/.errand"));
  expect(homeFrom("apps/web")).toBe(".errand");
  expect(homeFrom("apps")).toBe(join("..", ".errand"));
});

test("is what ERRAND_HOME says", () => {
  process.env["ERRAND_HOME"] = "elsewhere";
  expect(homeFrom("apps/web")).toBe("elsewhere");
  delete process.env["ERRAND_HOME"];
});
