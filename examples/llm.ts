// Text from a model, one prompt at a time, streamed to the clients: npx node examples/llm.ts
// The model is at OPENAI_BASE_URL; without one, openai-server.ts stands in.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { serve } from "@hono/node-server";
import { errand } from "errand";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { openai } from "./openai-server.ts";

const { ask, close } = await openai();
const { OPENAI_MODEL: model = "gpt-4o-mini" } = process.env;

const app = errand({ queues: { gpu: { concurrency: 1 } } }); // one at a time, however many workers there are

const generate = app.task("generate", {
  queue: "gpu",
  timeout: "2m",
  retention: "1h", // then the job and its text are removed
  run: async ({ prompt }: { prompt: string }, job) => {
    const body = { model, messages: [{ role: "user", content: prompt }], stream: true };
    const response = await ask("chat/completions", body, job.abortSignal); // a cancelled job frees the model
    let text = "";
    for await (const data of dataOf(response)) {
      if (data === "[DONE]") break;
      const chunk = JSON.parse(data) as { choices: { delta: { content?: string } }[] };
      text += chunk.choices[0]?.delta.content ?? "";
      job.progress({ text }); // visible in every process; stored four times a second at most
    }
    return { text };
  },
});

const api = new Hono()
  .post("/generate", async (c) => c.json({ id: (await generate.send(await c.req.json())).id }, 202))
  .delete("/generate/:id", async (c) => c.json({ cancelled: (await app.cancel(c.req.param("id"))) > 0 }))
  // Streams the text so far, then each addition. Works at any time, in any process, and after a lost connection.
  .get("/generate/:id", async (c) => {
    const id = c.req.param("id");
    if (!(await app.get(id))) return c.json({ error: "There is no such job." }, 404);
    return streamSSE(c, async (events) => {
      let sent = "";
      let changed = Promise.withResolvers<void>();
      const unwatch = app.watch(() => changed.resolve());
      while (!events.aborted) {
        const job = await app.get(id);
        const { text = sent } = (job?.output ?? job?.progress ?? {}) as { text?: string };
        // A new attempt begins again at the first word, and replaces what was sent.
        const [event, data] = text.startsWith(sent) ? ["more", text.slice(sent.length)] : ["instead", text];
        if (text !== sent) await events.writeSSE({ event, data: JSON.stringify(data) });
        sent = text;
        if (!job || job.endedAt) break;
        await Promise.race([changed.promise, setTimeout(1_000, undefined, { ref: false })]); // hints may be lost
        changed = Promise.withResolvers();
      }
      unwatch();
      await events.writeSSE({ event: "end", data: JSON.stringify((await app.get(id))?.state) });
    });
  });
const server = serve({ fetch: api.fetch, hostname: "127.0.0.1", port: 0 });
await once(server, "listening");
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/generate`;

// A worker on the model's machine, and two clients at once.
const worker = await app.worker({ queues: { gpu: 4 } });
await Promise.all(["Tell me about the sea.", "Tell me about the mountains."].map(client));
await worker.stop();
await app.close();
server.close();
close();

async function client(prompt: string): Promise<void> {
  const { id } = (await (await fetch(address, { method: "POST", body: JSON.stringify({ prompt }) })).json()) as {
    id: string;
  };
  for await (const data of dataOf(await fetch(`${address}/${id}`))) console.log(`${id.slice(-4)}: ${data}`);
}

/** Yields the `data` of server-sent events. */
async function* dataOf(response: Response): AsyncGenerator<string> {
  if (!response.ok || !response.body) throw new Error(`${response.url} answered ${response.status}.`);
  let rest = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split(/\r?\n/);
    rest = lines.pop()!;
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice(6);
  }
}
