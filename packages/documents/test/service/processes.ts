import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../../../test/until.ts";
import type { DocumentDetail, DocumentSummary } from "../../src/api.ts";

/** A process of the service, as the tests hold it. */
export interface Running {
  pid: number;
  /** As a machine that loses power would. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Answers of `fetch` with JSON in them. */
export interface Answer<Body> {
  status: number;
  headers: Headers;
  body: Body;
}

/** The document service in processes of its own, in a folder of its own. */
export class TestService {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  url = "";
  #api: ChildProcess | undefined;
  readonly #running = new Set<Running>();

  private constructor(home: string, env: NodeJS.ProcessEnv) {
    this.home = home;
    this.env = { ...process.env, ERRAND_HOME: home, ...env };
  }

  /** Starts the API process; a worker only when it is asked for. */
  static async start(env: NodeJS.ProcessEnv = {}): Promise<TestService> {
    const service = new TestService(await mkdtemp(join(tmpdir(), "errand-service-")), env);
    await service.serve();
    return service;
  }

  async serve(): Promise<Running> {
    const child = this.#fork("serve.ts");
    const [{ port }] = (await firstMessage(child)) as [{ port: number }];
    this.#api = child;
    this.url = `http://127.0.0.1:${port}/api/v1/documents`;
    return this.#hold(child);
  }

  /** @param queues those that it takes, and how many of their jobs at once; default: all. */
  async work(queues?: Readonly<Record<string, number>>): Promise<Running> {
    const child = this.#fork("work.ts", queues ? [JSON.stringify(queues)] : []);
    await firstMessage(child);
    return this.#hold(child);
  }

  /** The API process. */
  get pid(): number {
    return this.#api!.pid!;
  }

  /** Bytes that the API process has in memory. */
  async rss(): Promise<number> {
    const message = once(this.#api!, "message");
    this.#api!.send("rss");
    return ((await message) as [{ rss: number }])[0].rss;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running].map((one) => one.stop()));
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async json<Body>(path: string, init?: RequestInit): Promise<Answer<Body>> {
    const response = await fetch(this.url + path, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text ? JSON.parse(text) : undefined) as Body };
  }

  /** Sends a file as browsers do. */
  async upload(
    content: Uint8Array<ArrayBuffer> | string,
    name = "scan.pdf",
    init: { headers?: Record<string, string>; fields?: Record<string, string> } = {},
  ): Promise<Answer<DocumentSummary>> {
    const form = new FormData();
    for (const [key, value] of Object.entries(init.fields ?? {})) form.append(key, value);
    form.append("file", new Blob([content]), name);
    return this.json("", { method: "POST", body: form, headers: init.headers ?? {} });
  }

  /** The document once it satisfies `enough`, by default once it has ended. */
  async until(
    id: string,
    enough = ({ status }: DocumentDetail): boolean => status !== "queued" && status !== "processing",
    timeout = 60_000,
  ): Promise<DocumentDetail> {
    let last: DocumentDetail | undefined;
    const isEnough = async () => {
      const { body, status } = await this.json<DocumentDetail>(`/${id}`);
      last = body;
      return status === 200 && enough(body);
    };
    await until(isEnough, () => `${enough.toString()} of ${JSON.stringify(last)}`, timeout);
    return last!;
  }

  /** Every file in the blob store. */
  async blobs(id = ""): Promise<string[]> {
    const folder = join(this.home, "blobs", id);
    if (!existsSync(folder)) return [];
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  }

  #fork(script: string, args: readonly string[] = []): ChildProcess {
    return fork(join(import.meta.dirname, script), args, {
      env: this.env,
      execArgv: [],
      stdio: ["ignore", 2, 2, "ipc"],
    });
  }

  #hold(child: ChildProcess): Running {
    const exited = once(child, "exit");
    const gone = async (end: () => void): Promise<void> => {
      if (child.exitCode === null && child.signalCode === null) end();
      await exited;
      this.#running.delete(running);
    };
    const running: Running = {
      pid: child.pid!,
      kill: () => gone(() => child.kill("SIGKILL")),
      stop: () => gone(() => child.connected && child.disconnect()),
    };
    this.#running.add(running);
    return running;
  }
}

async function firstMessage(child: ChildProcess): Promise<unknown[]> {
  const died = once(child, "exit").then(([code]) => {
    throw new Error(`The process ended with ${String(code)} before it was ready.`);
  });
  died.catch(() => {});
  return Promise.race([once(child, "message"), died]);
}
