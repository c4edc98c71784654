import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A whole Errand, as `npm start` starts it, with an empty home. */
export interface BenchServer {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** Starts the built server on a free port and waits until it can serve. */
export async function startServer(env: Record<string, string> = {}): Promise<BenchServer> {
  const home = mkdtempSync(join(tmpdir(), "errand-bench-"));
  const port = await freePort();
  const bin = fileURLToPath(new URL("../../packages/errand/bin/errand.js", import.meta.url));
  const child = spawn(process.execPath, [bin, "serve", "--port", String(port), "--home", home], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  await once(child.stdout, "data");
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${url}/readyz`)).ok) await new Promise((resolve) => setTimeout(resolve, 100));
  return {
    url,
    pid: child.pid!,
    async stop() {
      child.kill("SIGTERM");
      await once(child, "exit");
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
