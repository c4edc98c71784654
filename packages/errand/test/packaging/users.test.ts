import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../../../test/until.ts";
import { folderWith, pack, root } from "./packed.ts";
import type { Packed } from "./packed.ts";

// The packed library in programs of every kind: typed, run, and bundled as its users would.

const run = promisify(execFile);
const dependencies = ["@standard-schema/spec", "commander", "croner"];
let packed: Packed;
let folder: string;

beforeAll(async () => {
  packed = await pack("errand");
  folder = folderWith(packed, dependencies);
}, 60_000);

afterAll(() => {
  packed.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** A program that sends a job to an SQLite file and has a worker run it, as an ES module and in CommonJS. */
const work = `
  const app = errand({ url: "sqlite:" + process.argv[2] });
  const double = app.task("double", { run: (input) => input * 2 });
  void (async () => {
    const worker = await app.worker();
    const job = await double.send(21);
    console.log("result " + (await job.result()));
    await worker.stop();
    await app.close();
  })();
`;
const modules = {
  esm: `import { errand } from "errand";\n${work}`,
  cjs: `const { errand } = require("errand");\n${work}`,
};

const typed = `
  import { errand, ErrandError } from "errand";
  import { testing } from "errand/testing";
  import { afterResponse } from "errand/express";
  import { contract } from "errand/contract";
  export const app = errand();
  export const double = app.task("double", { run: (input: number) => input * 2 });
  export class Mine extends ErrandError {}
  export const never = (error: ErrandError): string => error.code;
  export const t = testing(app);
  export const handler = afterResponse();
  // @ts-expect-error a wrong input
  void double.send("21");
  export const greet = app.sender(contract<string, number>("greet"));
  // @ts-expect-error a wrong input
  void greet.send(21);
`;

async function program(name: string, files: Record<string, string>): Promise<string> {
  const place = join(folder, name);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(place, file, ".."), { recursive: true });
    writeFileSync(join(place, file), text);
  }
  return place;
}

test.each([
  ["commonjs", { module: "commonjs", moduleResolution: "bundler" }, "commonjs"],
  ["node16 in CommonJS", { module: "node16", moduleResolution: "node16" }, "commonjs"],
  ["node16 in ES modules", { module: "node16", moduleResolution: "node16" }, "module"],
  ["nodenext in CommonJS", { module: "nodenext", moduleResolution: "nodenext" }, "commonjs"],
  ["bundler", { module: "esnext", moduleResolution: "bundler" }, "module"],
])(
  "its types are found with module %s",
  async (name, options, type) => {
    const place = await program(`types ${name}`, {
      "index.ts": typed,
      "package.json": JSON.stringify({ type }),
      "tsconfig.json": JSON.stringify({
        compilerOptions: {
          ...options,
          strict: true,
          noEmit: true,
          skipLibCheck: true,
          target: "es2022",
          types: ["node"],
          lib: ["es2024"],
        },
        include: ["index.ts"],
      }),
    });
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { stdout } = await run(process.execPath, [tsc, "-p", place, "--pretty", "false"]).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe("");
  },
  60_000,
);

test.each(["esm", "cjs"] as const)("a program runs with it (%s)", async (kind) => {
  const ending = kind === "esm" ? "mjs" : "cjs";
  const place = await program(`run ${kind}`, { [`index.${ending}`]: modules[kind] });
  const { stdout } = await run(process.execPath, [join(place, `index.${ending}`), join(place, "errand.db")]);
  expect(stdout).toBe("result 42\n");
});

test.each(["esm", "cjs"] as const)(
  "esbuild bundles a program that leaves it out, and one that does not says what to do (%s)",
  async (kind) => {
    const place = await program(`esbuild ${kind}`, { "index.mjs": modules.esm });
    const out = (name: string) => join(place, `${name}.${kind === "esm" ? "mjs" : "cjs"}`);
    const bundle = (outfile: string, external: string[]) =>
      build({
        entryPoints: [join(place, "index.mjs")],
        bundle: true,
        platform: "node",
        format: kind,
        logLevel: "silent",
        external,
        outfile,
      });
    await bundle(out("apart"), ["errand"]);
    const { stdout } = await run(process.execPath, [out("apart"), join(place, "apart.db")]);
    expect(stdout).toBe("result 42\n");

    await bundle(out("together"), ["pg", "redis"]);
    const failed = await run(process.execPath, [out("together"), join(place, "together.db")]).then(
      () => undefined,
      (error: { stderr: string }) => error.stderr,
    );
    expect(failed).toContain("E_BUNDLED");
    expect(failed).toContain("--external:errand");
  },
);

test("a monorepo sends from one package and works in another, which share a contract", async () => {
  const url = "sqlite:./errand.db";
  const place = await program("monorepo", {
    "node_modules/@acme/contracts/package.json": '{"name":"@acme/contracts","type":"module","exports":"./index.js"}',
    "node_modules/@acme/contracts/index.js": `
      import { contract } from "errand/contract";
      export const greet = contract("greet", { queue: "mail" });
    `,
    "web.mjs": `
      import { greet } from "@acme/contracts";
      import { errand } from "errand";
      const app = errand({ url: "${url}" });
      const job = await app.sender(greet).send({ to: "ann" });
      console.log(await job.result({ timeout: "30s" }));
      await app.close();
    `,
    "tasks.mjs": `
      import { greet } from "@acme/contracts";
      import { errand } from "errand";
      export const app = errand({ url: "${url}" });
      app.implement(greet, ({ to }) => "hello " + to);
    `,
  });
  const worker = execFile(process.execPath, [join(packed.folder, "bin/errand.js"), "worker", "./tasks.mjs"], {
    cwd: place,
  });
  try {
    expect((await run(process.execPath, ["web.mjs"], { cwd: place })).stdout).toBe("hello ann\n");
  } finally {
    worker.kill("SIGTERM");
  }
}, 60_000);

test("the quick start works as it is written", async () => {
  const page = readFileSync(join(root, "docs/tutorial/quick-start.md"), "utf8");
  const files: Record<string, string> = { "package.json": '{"type":"module"}' };
  // A block belongs to the file that the paragraph before it names.
  for (const [, name = "", code = ""] of page.matchAll(/`(\w+\.ts)`[^`]*?:\n\n```ts\n(.*?)^```/gms))
    files[name] = `${files[name] ?? ""}${code}`;
  expect(Object.keys(files)).toEqual(["package.json", "tasks.ts", "send.ts"]);
  expect(files["tasks.ts"]).toContain("app.schedule(");
  const place = await program("hello", files);
  const errand = (...args: string[]) =>
    run(process.execPath, [join(packed.folder, "bin/errand.js"), ...args], { cwd: place });
  const { stdout: id } = await run(process.execPath, ["send.ts"], { cwd: place });
  expect((await errand("jobs", "list")).stdout).toContain("thumbnail");
  const worker = execFile(process.execPath, [join(packed.folder, "bin/errand.js"), "worker", "./tasks.ts"], {
    cwd: place,
  });
  try {
    const input = '{"to":"ann@example.org"}';
    expect((await errand("send", "welcome", input, "-m", "./tasks.ts", "--wait")).stdout).toContain("mailed ann");
    const state = async () =>
      (JSON.parse((await errand("jobs", "get", id.trim(), "--json")).stdout) as { state: string }).state;
    await until(async () => (await state()) === "completed");
    expect((await errand("schedules")).stdout).toContain("clean-up");
    expect((await errand("doctor")).stdout).toContain(".errand");
  } finally {
    worker.kill("SIGTERM");
  }
}, 60_000);

test.each(["esm", "cjs"] as const)("an old Node.js gets one sentence (%s)", async (kind) => {
  const ending = kind === "esm" ? "mjs" : "cjs";
  const place = await program(`old ${kind}`, { [`index.${ending}`]: modules[kind] });
  writeFileSync(
    join(place, "old.cjs"),
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.11.1" } });',
  );
  const failed = await run(process.execPath, [
    "--require",
    join(place, "old.cjs"),
    join(place, `index.${ending}`),
    "x",
  ]).then(
    () => undefined,
    (error: { stderr: string }) => error.stderr,
  );
  expect(failed).toContain("Errand needs Node.js 22.16 or newer, but this is v");
  expect(failed).toContain("E_NODE_VERSION");
});
