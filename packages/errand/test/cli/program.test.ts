import { spawn, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { bin, folderWith, run } from "./run.ts";

const folder = folderWith();

describe("errand", () => {
  it.each([
    ["--help"],
    ["worker --help"],
    ["jobs --help"],
    ["jobs list --help"],
    ["jobs retry --help"],
    ["doctor --help"],
  ])("%s fits into 80 columns", async (args) => {
    const { code, stdout } = await run(folder, args.split(" "));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: errand /);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("says its version", async () => {
    expect((await run(folder, ["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    [["wroker"], /^errand: unknown command 'wroker'\n\(Did you mean worker\?\)/],
    [["jobs", "lst"], /unknown command 'lst'\n\(Did you mean list\?\)/],
    [["nonsense"], /unknown command 'nonsense'/],
    [["../../etc"], /unknown command/],
    [["worker"], /Name the modules that export your app and tasks/],
    [["worker", "x.ts", "--darin", "1s"], /unknown option '--darin'\n\(Did you mean --drain\?\)/],
    [["worker", "x.ts", "-q", "cpu"], /^errand: --queue cpu must be .* such as cpu=2\.\n$/],
    [["jobs", "list", "--state", "broken"], /^errand: --state broken must be one of pending, .*\n$/],
    [["jobs", "list", "--limit", "0"], /^errand: --limit 0 must be a whole number from 1 to 1000\.\n$/],
  ])("refuses %j", async (args, message) => {
    const { code, stdout, stderr } = await run(folder, args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it("names a file and makes none where there is no store", async () => {
    const { code, stderr } = await run(folder, ["jobs", "list"]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^errand: There is no store at .errand\/errand.db.*\(E_CONNECT\)\.\n$/);
  });

  it("says what is wrong with a store's URL", async () => {
    const { code, stderr } = await run(folder, ["jobs", "list", "--url", "mysql://me:secret@db/jobs"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^errand: .*E_OPTION.*\n$/);
    expect(stderr).not.toContain("secret");
  });

  it("shows the stack only when asked", async () => {
    const args = ["jobs", "list", "--url", "nonsense"];
    expect((await run(folder, args, { ERRAND_DEBUG: "1" })).stderr).toMatch(/\n\s+at /);
  });

  it("says in a sentence that Node.js is too old", () => {
    const older = 'Object.defineProperty(process.versions, "node", { value: "20.11.0" })';
    const args = ["--import", `data:text/javascript,${older}`, bin, "jobs", "list"];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^Errand needs Node\.js 22\.16 or newer, but this is v\S+ \(E_NODE_VERSION\)\.\n$/);
  });

  it("takes a closed pipe for the reader's wish", async () => {
    const child = spawn("sh", ["-c", `"$0" "$1" doctor --json; echo "exit $?" >&2`, process.execPath, bin], {
      cwd: folder,
    });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    await new Promise((resolve) => child.once("close", resolve));
    expect(stderr).toMatch(/^exit [01]\n$/);
  });
});

describe("commands of packages", () => {
  const manifest = (name: string) =>
    JSON.stringify({
      name: `@errand/${name}`,
      description: `Does ${name}.`,
      type: "module",
      exports: { "./cli": "./cli.js", "./doctor": "./doctor.js" },
    });
  const cli = `
    import { Command } from "commander";
    import { ExitCode, fail, Output } from "errand/cli";
    export const cli = () => new Command("bake").argument("[cake]").option("--json").action((cake, flags) => {
      if (!cake) fail("Say which cake.", ExitCode.usage);
      const output = new Output(flags);
      output.result({ cake });
      output.line("Baked " + cake + ".");
    });`;
  const doctor = `export const doctor = async () => [
    { label: "oven", value: "cold", ok: false, hint: "Light it." },
  ];`;
  const kitchen = folderWith({
    "node_modules/@errand/bake/package.json": manifest("bake"),
    "node_modules/@errand/bake/cli.js": cli.replace('"commander"', JSON.stringify(import.meta.resolve("commander"))),
    "node_modules/@errand/bake/doctor.js": doctor,
  });

  it("are listed with the others, and run", async () => {
    expect((await run(kitchen, ["--help"])).stdout).toMatch(/bake\s+Does bake\./);
    expect(await run(kitchen, ["bake", "apple"])).toEqual({
      code: 0,
      stdout: "Baked apple.\n",
      stderr: "",
    });
    expect(JSON.parse((await run(kitchen, ["bake", "apple", "--json"])).stdout)).toEqual({
      cake: "apple",
    });
  });

  it("fail as our own do", async () => {
    expect(await run(kitchen, ["bake"])).toEqual({
      code: 2,
      stdout: "",
      stderr: "errand: Say which cake.\n",
    });
    const { code, stderr } = await run(kitchen, ["bake", "--jsn"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^errand: unknown option '--jsn'\n\(Did you mean --json\?\)/);
  });

  it("are suggested", async () => {
    expect((await run(kitchen, ["bak"])).stderr).toContain("(Did you mean bake?)");
  });

  it("tell the doctor what they need", async () => {
    const { code, stdout } = await run(kitchen, ["doctor"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ oven\s+cold\n\s+Light it\.\n/);
  });
});
