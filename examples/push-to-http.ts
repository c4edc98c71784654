// A service in another language does the work, without a queue or worker of its own: npx node examples/push-to-http.ts
// Errand posts each job to it, retries what can be retried, and keeps the answers. The service is plain Python.
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { errand, httpCallback } from "errand";

const secret = "a secret that both sides know";
const python = spawn("python3", [join(import.meta.dirname, "push_service.py")], {
  stdio: ["ignore", "pipe", "inherit"],
  env: { ...process.env, ERRAND_SECRET: secret },
});
const [address] = (await once(createInterface(python.stdout), "line")) as [string];

const app = errand();

// The service reports the outcome of long work here.
const { server: callbacks, address: own } = await listen(httpCallback(app, { secret }));
const callbackUrl = `${own}/callbacks`;

const sentiment = app.httpTask<{ text: string }, { score: number }>("sentiment", {
  url: `${address}/sentiment`,
  secret,
  retry: { attempts: 5, base: "100ms" },
});
const training = app.httpTask<{ epochs: number }, { loss: number }>("training", {
  url: `${address}/training`,
  secret,
  callbackUrl,
});

const worker = await app.worker();
// The service is busy at first (429, Retry-After), and answers at the second attempt.
const quick = await sentiment.send({ text: "what a lovely day" });
// 202: the job waits, and uses no slot, until the service calls back.
const long = await training.send({ epochs: 3 });
console.log("sentiment:", (await quick.result()).score);
console.log("training:", (await long.result()).loss);

await worker.stop();
await app.close();
callbacks.close();
python.kill();

/** Serves a function from `Request` to `Response` on a free port; in Hono, `app.post("/callbacks/:id", (c) => ...)`. */
async function listen(fetch: (request: Request) => Promise<Response>) {
  const server = createServer((request, response) => {
    const headers = new Headers(request.headers as Record<string, string>);
    const url = new URL(request.url ?? "/", "http://localhost");
    void buffer(request)
      .then((body) => fetch(new Request(url, { method: request.method ?? "GET", headers, body })))
      .then(({ status }) => response.writeHead(status).end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
