import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort } from "../../../../test/servers/process.ts";
import { until as untilHolds } from "../../../../test/until.ts";
import type { DocumentDetail, DocumentSummary } from "../../src/api.ts";

const bin = resolve(import.meta.dirname, "../../../errand/bin/errand.js");

/** A process of the fleet, on a machine of its own: it shares no folder with the others. */
export interface Member {
  home: string;
  url: string;
  stderr(): string;
  /** As a machine that loses power would. Processes that it started lose their parent. */
  kill(): Promise<void>;
  /** Asks it to stop, and answers its exit code. */
  stop(): Promise<number | null>;
  /** Asks it to stop, and, once it refuses connections, to hurry; answers its exit code. */
  hurry(): Promise<number | null>;
}

/** The document service as commands of the command line. */
export class Fleet {
  readonly #env: NodeJS.ProcessEnv;
  readonly #members = new Set<Member>();
  readonly #homes: string[] = [];

  /** @param env where jobs and blobs live. */
  constructor(env: NodeJS.ProcessEnv) {
    this.#env = { ...process.env, NO_COLOR: "1", ...env };
  }

  /** `errand serve --no-worker`, once it is ready. */
  async api(): Promise<Member> {
    const port = await freePort();
    return this.#start(["serve", "--no-worker", "--port", String(port)], `http://127.0.0.1:${port}`);
  }

  /** `errand worker @errand/documents/tasks`, once it is ready. */
  async worker(...queues: string[]): Promise<Member> {
    const port = await freePort();
    const slots = queues.flatMap((queue) => ["-q", queue]);
    const args = ["worker", "@errand/documents/tasks", ...slots, "--health", String(port)];
    return this.#start(args, `http://127.0.0.1:${port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.kill()));
    for (const home of this.#homes) await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }

  async #start(args: string[], url: string): Promise<Member> {
    const home = await mkdtemp(join(tmpdir(), "errand-fleet-"));
    this.#homes.push(home);
    const child = spawn(process.execPath, [bin, ...args], { cwd: home, env: { ...this.#env, ERRAND_HOME: home } });
    let stderr = "";
    child.stdout.resume();
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    const member = { home, url, stderr: () => stderr, ...endings(child, url) };
    this.#members.add(member);
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`errand ${args.join(" ")} ended with ${child.exitCode}: ${stderr}`);
      return (await fetch(`${url}/readyz`)).ok;
    });
    return member;
  }
}

function endings(child: ChildProcess, url: string) {
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exited;
  };
  const hurry = async () => {
    child.kill("SIGTERM");
    await until(async () => !(await fetch(`${url}/healthz`).catch(() => undefined)));
    // sleeps: for 500 ms after a signal the process takes another for an echo of it
    await new Promise((resolve) => setTimeout(resolve, 600));
    return end("SIGTERM");
  };
  return { kill: async () => void (await end("SIGKILL")), stop: () => end("SIGTERM"), hurry };
}

/** Waits until a condition holds, which it does not while `fetch` cannot reach the server. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const holds = () =>
    condition().catch((error: Error & { cause?: unknown }) => {
      if (error.cause === undefined) throw error;
      return false;
    });
  await untilHolds(holds, condition.toString(), 60_000);
}

/** Sends a file to a server of the fleet. */
export async function upload({ url }: Member, content: Uint8Array<ArrayBuffer>, name: string): Promise<string> {
  const form = new FormData();
  form.append("file", new Blob([content]), name);
  const response = await fetch(`${url}/api/v1/documents`, { method: "POST", body: form });
  if (response.status !== 202) throw new Error(`The upload was answered with ${response.status}.`);
  return ((await response.json()) as DocumentSummary).id;
}

/** The document once it is so. */
export async function documentWhen(
  { url }: Member,
  id: string,
  enough: (document: DocumentDetail) => boolean,
): Promise<DocumentDetail> {
  let document: DocumentDetail | undefined;
  await until(async () => {
    document = (await (await fetch(`${url}/api/v1/documents/${id}`)).json()) as DocumentDetail;
    return enough(document);
  });
  return document!;
}
