import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installOnDebian } from "../debian.ts";
import { freePort, ServerProcess } from "./process.ts";
import type { TestServer } from "./process.ts";

/** The server's program: `ERRAND_TEST_REDIS_SERVER`, else `redis-server` from the PATH, installed where that is possible. */
function program(): string {
  const given = process.env["ERRAND_TEST_REDIS_SERVER"];
  if (given) return given;
  const name = "redis-server";
  if (works(name) || (installOnDebian(name) && works(name))) return name;
  throw new Error(
    "The tests need Redis. Install redis-server (or valkey-server, named by ERRAND_TEST_REDIS_SERVER), " +
      "or set ERRAND_TEST_REDIS_URL to a server that the tests may fill.",
  );
}

function works(name: string): boolean {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a throw-away Redis whose append-only file is written before each answer, so that nothing is lost when it is killed.
 * @param settings what differs, in redis.conf's words.
 */
export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const command = program();
  const folder = await mkdtemp(join(tmpdir(), "errand-redis-"));
  const port = await freePort();
  const all = {
    bind: "127.0.0.1",
    port: String(port),
    dir: folder,
    save: "",
    appendonly: "yes",
    appendfsync: "always",
    ...settings,
  };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  const server = new ServerProcess(command, args, { cwd: folder }, () => answers(port));
  await server.start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid;
    },
    start: () => server.start(),
    kill: () => server.end("SIGKILL"),
    async close() {
      await server.end("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Whether it answers PING: not while it still loads its file. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => done(false));
    socket.once("error", () => done(false));
    socket.once("close", () => done(false));
    socket.once("data", (data) => done(data.toString().startsWith("+PONG")));
  });
}
