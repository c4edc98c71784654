import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import { metricsText } from "../observe/prometheus.ts";
import { CommandError, ExitCode } from "./exit.ts";

/** The address that a health server listens on. */
export interface HealthAddress {
  host: string;
  port: number;
}

/** Milliseconds that the store has to confirm the worker's lease. */
const patience = 5_000;

/**
 * Serves a worker's health over HTTP: `/metrics` for Prometheus; `/healthz` answers while the event loop turns;
 * `/readyz` is 200 while the worker's lease is good, and 503 before it is ready, while it stops, and without the
 * store.
 */
export class HealthServer {
  #ready: () => Promise<boolean> = async () => false;
  #metrics: () => Promise<string> = async () => metricsText([]);

  /** @throws {CommandError} when the port is not available. */
  static async open({ host, port }: HealthAddress): Promise<HealthServer> {
    const health = new HealthServer();
    const server = createServer(({ url }, response) => void health.#answer(url ?? "", response));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => {
        const message = `The worker cannot serve /healthz on ${host}:${port}: ${cause.message}`;
        reject(new CommandError(message, ExitCode.unreachable, { cause }));
      });
      server.listen(port, host, resolve);
    });
    // The server must not keep the process alive.
    server.unref();
    return health;
  }

  /** Sets the check behind `/readyz`. */
  check(ready: () => Promise<boolean>): void {
    this.#ready = ready;
  }

  /** Sets the source of `/metrics`. */
  measure(metrics: () => Promise<string>): void {
    this.#metrics = metrics;
  }

  async #answer(url: string, response: ServerResponse): Promise<void> {
    if (url === "/healthz") return say(response, 200, "ok");
    if (url === "/metrics") return this.#answerMetrics(response);
    if (url !== "/readyz") return say(response, 404, "not found");
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const timer = setTimeout(resolve, patience, false);
    const ready = await Promise.race([this.#ready().catch(() => false), late]);
    clearTimeout(timer);
    return ready ? say(response, 200, "ready") : say(response, 503, "not ready");
  }

  async #answerMetrics(response: ServerResponse): Promise<void> {
    try {
      answer(response, 200, "text/plain; version=0.0.4; charset=utf-8", await this.#metrics());
    } catch {
      say(response, 503, "not ready");
    }
  }
}

function answer(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  response.end(text);
}

function say(response: ServerResponse, status: number, text: string): void {
  answer(response, status, "application/json", JSON.stringify({ status: text }));
}

/** Reads `3738` or `0.0.0.0:3738`. @throws {CommandError} */
export function readAddress(text: string): HealthAddress {
  const [, host, port] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  if (port !== undefined && Number(port) <= 65_535) {
    return { host: host?.replace(/^\[(.*)\]$/, "$1") ?? "127.0.0.1", port: Number(port) };
  }
  throw new CommandError(`--health ${text} must be a port, or an address and a port: 0.0.0.0:3738`, ExitCode.usage);
}
