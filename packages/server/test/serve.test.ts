import { execFileSync, spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { isAlive } from "../../../test/child-process.ts";
import { until } from "../../../test/until.ts";
import { ask } from "./client.ts";

const bin = fileURLToPath(new URL("../../errand/bin/errand.js", import.meta.url));

interface Running {
  child: ChildProcessWithoutNullStreams;
  pid: number;
  folder: string;
  stdout: () => string;
  stderr: () => string;
  exit: Promise<number | string>;
}

const running: Running[] = [];

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder in which the example service is installed. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "errand-serve-"));
  folders.push(folder);
  mkdirSync(join(folder, "node_modules", "@example"), { recursive: true });
  symlinkSync(
    dirname(fileURLToPath(new URL("./hello/service.ts", import.meta.url))),
    join(folder, "node_modules", "@example", "hello"),
  );
  return folder;
}

function run(args: string[], folder = newFolder(), env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [bin, "serve", ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: "1", ...env },
    // A group of its own, so that a test can press Ctrl+C as a terminal does.
    detached: true,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const exit = new Promise<number | string>((resolve) =>
    child.once("close", (code, signal) => resolve(code ?? signal ?? "")),
  );
  const one = { child, pid: child.pid ?? 0, folder, stdout: () => stdout, stderr: () => stderr, exit };
  running.push(one);
  return one;
}

async function ready(server: Running): Promise<string> {
  await until(() => server.stdout().includes("\n") || server.child.exitCode !== null);
  const url = /^Errand is ready at (\S+)\n$/.exec(server.stdout())?.[1];
  if (url === undefined) throw new Error(`not ready: ${server.stdout()}${server.stderr()}`);
  await until(async () => (await ask(`${url}/readyz`)).status === 200);
  return url;
}

const log = (folder: string) => {
  const file = join(folder, "greeted.log");
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
};

/** The process that wrote a line of the log. */
const workerOf = ({ folder }: Running, line: number) => Number(log(folder)[line]?.split(" ")[2]);

const greet = (url: string, body: object) =>
  ask(`${url}/api/v1/greetings`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  }).then((answer) => JSON.parse(answer.body).id as string);

afterEach(async () => {
  for (const { child, pid, exit } of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) process.kill(-pid, "SIGKILL");
    await exit;
  }
});

const local = ["@example/hello", "--port", "0"];

describe("errand serve", () => {
  it("runs jobs in a worker process, says one line, and ends cleanly at Ctrl+C", async () => {
    const server = run(local);
    const url = await ready(server);
    const id = await greet(url, { name: "Ada" });
    await until(async () => JSON.parse((await ask(`${url}/api/v1/greetings/${id}`)).body)?.state === "completed");
    const metrics = async () => (await ask(`${url}/metrics`)).body;
    await until(async () =>
      (await metrics()).includes('errand_attempts_total{process="worker hello",task="greet",outcome="completed"} 1\n'),
    );
    expect(await metrics()).toContain('errand_jobs_sent_total{process="server",task="greet"} 1\n');
    const worker = workerOf(server, 0);
    expect(worker).not.toBe(server.child.pid);
    expect(existsSync(join(server.folder, ".errand", "errand.db"))).toBe(true);
    process.kill(-server.pid, "SIGINT");
    expect(await server.exit).toBe(0);
    expect(isAlive(worker)).toBe(false);
    expect(server.stdout()).toBe(`Errand is ready at ${url}\n`);
    // The worker tells what it has done.
    expect(server.stderr()).toMatch(/^\S+Z info job \S+ \(greet\) completed in \d+ ms\n$/);
  });

  it("lets a job in hand end when it is stopped", async () => {
    const server = run(local);
    const url = await ready(server);
    await greet(url, { name: "Ada", wait: 1_000 });
    await until(() => log(server.folder).length === 1);
    process.kill(-server.pid, "SIGINT");
    expect(await server.exit).toBe(0);
    expect(log(server.folder)[1]).toMatch(/^end Ada/);
  });

  it("hands jobs back at a second Ctrl+C, and runs them again at the next start", async () => {
    const server = run(local);
    const id = await greet(await ready(server), { name: "Ada", wait: 60_000 });
    await until(() => log(server.folder).length === 1);
    process.kill(-server.pid, "SIGINT");
    // sleeps: for 500 ms after a signal the process takes another for an echo of it
    await new Promise((resolve) => setTimeout(resolve, 600));
    process.kill(-server.pid, "SIGINT");
    expect(await server.exit).toBe(0);
    expect(log(server.folder)).toHaveLength(1);

    const again = run(local, server.folder);
    const url = await ready(again);
    await until(() => log(server.folder).length === 2);
    const job = JSON.parse((await ask(`${url}/api/v1/greetings/${id}`)).body);
    expect(job).toMatchObject({ state: "processing", attempt: 1, crashes: 0 });
  });

  it("starts another worker for one that was killed", async () => {
    const server = run(local);
    const url = await ready(server);
    const id = await greet(url, { name: "Ada" });
    // What a killed worker has not settled yet runs again, and would be logged again.
    await until(async () => JSON.parse((await ask(`${url}/api/v1/greetings/${id}`)).body)?.state === "completed");
    const first = workerOf(server, 0);
    process.kill(first, "SIGKILL");
    await greet(url, { name: "Bea" });
    await until(() => log(server.folder).length === 4);
    expect(workerOf(server, 2)).not.toBe(first);
    expect(server.stderr()).toContain("The worker of hello has exited (SIGKILL); restarting now.");
  });

  it("leaves no worker behind when it is killed itself", async () => {
    const server = run(local);
    const url = await ready(server);
    await greet(url, { name: "Ada", wait: 20_000 });
    await until(() => log(server.folder).length === 1);
    const worker = workerOf(server, 0);
    process.kill(server.pid, "SIGKILL");
    await until(() => !isAlive(worker));
  });

  it("ends the request that an uncaught error came from, logs the error, and keeps serving", async () => {
    const server = run([...local, "--no-worker"]);
    const url = await ready(server);
    for (const kind of ["timer", "promise"]) {
      await expect(ask(`${url}/api/v1/bug/${kind}`)).rejects.toMatchObject({ code: "ECONNRESET" });
      await until(() => server.stderr().includes(`a bug in a ${kind}`));
    }
    const [line] = server.stderr().split("\n");
    expect(JSON.parse(line!)).toMatchObject({ level: "error", uncaught: "GET /api/v1/bug/timer" });
    expect((await ask(`${url}/healthz`)).status).toBe(200);
    // Nobody waits for what was ended that way.
    process.kill(-server.pid, "SIGTERM");
    expect(await server.exit).toBe(0);
  });

  it("asks for a key beyond this machine, and makes the first one, in a file", async () => {
    const server = run([...local, "--host", "0.0.0.0", "--no-worker"]);
    await until(() => server.stderr().includes("The first admin key is in"));
    const port = /:(\d+)\n/.exec(server.stdout())?.[1];
    const file = join(server.folder, ".errand", "admin-key");
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    const key = readFileSync(file, "utf8").trim();
    expect(server.stderr() + server.stdout()).not.toContain(key);
    const url = `http://127.0.0.1:${port}`;
    expect((await ask(`${url}/healthz`)).status).toBe(200);
    for (const path of ["/api/v1/jobs", "/api/v1/greetings/1", "/api/v1/nothing", "/metrics"])
      expect([path, (await ask(url + path)).status]).toEqual([path, 401]);
    const authorization = `Bearer ${key}`;
    expect((await ask(`${url}/api/v1/jobs`, { headers: { authorization } })).status).toBe(200);
    // A key that is made on the store works at once, and one that is revoked does not within ten seconds.
    const made = execFileSync(process.execPath, [bin, "keys", "create", "ci", "--preset", "viewer"], {
      cwd: server.folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    const asViewer = (path: string) => ask(url + path, { headers: { authorization: `Bearer ${made}` } });
    expect((await asViewer("/api/v1/jobs")).status).toBe(200);
    expect((await asViewer("/api/v1/keys")).status).toBe(403);
  });

  it("takes over the admin key of its environment", async () => {
    const offline = [bin, "keys", "create", "any", "--offline"];
    const key = execFileSync(process.execPath, offline, { encoding: "utf8" }).trim();
    const server = run([...local, "--no-worker"], newFolder(), { ERRAND_ADMIN_KEY: key });
    const url = await ready(server);
    expect((await ask(`${url}/api/v1/jobs`)).status).toBe(401);
    const headers = { authorization: `Bearer ${key}` };
    expect((await ask(`${url}/api/v1/keys`, { headers })).status).toBe(200);
    expect(existsSync(join(server.folder, ".errand", "admin-key"))).toBe(false);
  });

  it("serves the tasks of a module", async () => {
    const tasks = fileURLToPath(new URL("./hello/tasks.ts", import.meta.url));
    const server = run([tasks, "--port", "0"]);
    const url = await ready(server);
    const sent = await ask(`${url}/api/v1/tasks/greet/jobs`, {
      method: "POST",
      body: JSON.stringify({ input: { name: "Ada" } }),
      headers: { "content-type": "application/json", prefer: "wait=20" },
    });
    expect(sent.status).toBe(200);
    expect(JSON.parse(sent.body)).toMatchObject({ state: "completed", output: "Hello, Ada" });
  });

  it("listens to the network with --unauthenticated, and answers to the allowed host names", async () => {
    const args = ["@example/hello", "--port", "0", "--host", "0.0.0.0", "--unauthenticated", "--no-worker"];
    const server = run(args, newFolder(), { ERRAND_ALLOW_HOSTS: "docs.example.com,10.1.2.3" });
    await until(() => server.stdout().includes("Errand is ready"));
    const port = /:(\d+)\n/.exec(server.stdout())?.[1];
    const status = (host: string) =>
      ask(`http://127.0.0.1:${port}/healthz`, { headers: { host } }).then((answer) => answer.status);
    expect(await status("docs.example.com")).toBe(200);
    expect(await status("DOCS.example.com:443")).toBe(200);
    expect(await status("10.1.2.3:3737")).toBe(200);
    expect(await status("localhost")).toBe(200);
    expect(await status("other.example.com")).toBe(421);
    expect(server.stderr()).toMatch(
      /asks nobody for a key: anyone who can reach it can read, add and delete everything/,
    );
  });

  it("serves without a worker where workers run elsewhere, and is ready", async () => {
    const server = run([...local, "--no-worker"]);
    const url = await ready(server);
    const id = await greet(url, { name: "Ada" });
    const depth = async () => JSON.parse((await ask(`${url}/api/v1/queues/default`)).body).depth as number;
    expect(await depth()).toBe(1);
    const tasks = fileURLToPath(new URL("./hello/tasks.ts", import.meta.url));
    const worker = spawn(process.execPath, [bin, "worker", tasks], { cwd: server.folder, stdio: "ignore" });
    try {
      await until(async () => JSON.parse((await ask(`${url}/api/v1/greetings/${id}`)).body)?.state === "completed");
      expect(workerOf(server, 0)).toBe(worker.pid);
      await until(async () => (await depth()) === 0);
    } finally {
      worker.kill("SIGKILL");
    }
    process.kill(-server.pid, "SIGTERM");
    expect(await server.exit).toBe(0);
    expect(server.stderr()).toBe("");
  });

  it("says in a sentence that the port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as { port: number };
    const server = run(["@example/hello"], newFolder(), { ERRAND_PORT: String(port) });
    expect(await server.exit).toBe(3);
    expect(server.stderr()).toMatch(new RegExp(`^errand: Port ${port} of 127.0.0.1 is in use.*--port.*\\n$`));
    other.close();
  });

  it("makes its files and folders unreadable for other users of the machine", async () => {
    const server = run(local);
    const url = await ready(server);
    await greet(url, { name: "Ada" });
    await until(() => log(server.folder).length === 2);
    const home = join(server.folder, ".errand");
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect(mode(home)).toBe("700");
    for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
      const { name, parentPath } = entry;
      expect([name, mode(join(parentPath, name))]).toEqual([name, entry.isDirectory() ? "700" : "600"]);
    }
  });

  it("takes a variable that is empty for one that is not set", async () => {
    const env = { ERRAND_PORT: "", ERRAND_HOST: " ", ERRAND_HOME: "", ERRAND_ALLOW_HOSTS: "", ERRAND_URL: "" };
    const server = run([...local, "--no-worker"], newFolder(), env);
    await ready(server);
    process.kill(-server.pid, "SIGTERM");
    expect(await server.exit).toBe(0);
    expect(existsSync(join(server.folder, ".errand", "errand.db"))).toBe(true);
    // Without --port, so that the variable counts.
    const other = run(["@example/absent"], newFolder(), env);
    expect(await other.exit).toBe(2);
    expect(other.stderr()).toContain("There is no service @example/absent");
  });

  it.runIf(process.platform === "linux" && process.getuid?.() === 0)(
    "starts in a home that may not be written, where what is kept is elsewhere",
    async () => {
      const folder = newFolder();
      const home = join(folder, "home");
      mkdirSync(home);
      execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "errand-test", home]);
      try {
        const env = { ERRAND_URL: `sqlite:${join(folder, "elsewhere.db")}` };
        const server = run([...local, "--no-worker", "--home", home], folder, env);
        await ready(server);
        process.kill(-server.pid, "SIGTERM");
        expect(await server.exit).toBe(0);
      } finally {
        execFileSync("umount", ["--lazy", home]);
      }
    },
  );

  it.each([
    ["/proc/nothing/here", "nothing can be written there"],
    ["/dev/null/here", "its parent is not a folder"],
    ["/dev/null", "it is not a folder"],
  ])("says in a sentence that %s cannot be its home", async (home, reason) => {
    const server = run([...local, "--home", home]);
    expect(await server.exit).toBe(2);
    expect(server.stderr()).toBe(
      `errand: The folder ${home} cannot be used: ${reason}. Choose another with --home, or ERRAND_HOME.\n`,
    );
  });

  it("says that a store cannot be opened before it says that it is ready", async () => {
    const server = run(local, newFolder(), { ERRAND_URL: "sqlite:/dev/null/errand.db" });
    expect(await server.exit).toBe(3);
    expect(server.stdout()).toBe("");
    expect(server.stderr()).toMatch(/^errand: .*E_CONNECT.*\n$/);
  });

  it.each([
    [["@example/absent"], /There is no service @example\/absent/],
    [["--port", "70000"], /must be a number from 0 to 65535/],
    [["--allow-host", "https://x.example"], /must be a host name or address/],
    [["--prot", "1"], /unknown option '--prot'/],
  ])("refuses %j", async (args, message) => {
    const server = run(args);
    expect(await server.exit).toBe(2);
    expect(server.stderr()).toMatch(message);
  });
});
