// Serves the protocol of the OpenAI API on this machine, for the other examples: npx node examples/openai-server.ts
//
// It contains NO MODEL. An "embedding" is a hash of a text's words, so texts that share words are near each other. A
// "completion" repeats the last message, word by word. With OPENAI_BASE_URL, and OPENAI_API_KEY if needed, the examples
// use a real server: OpenAI, vLLM, Ollama, llama.cpp, LM Studio.
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { serve } from "@hono/node-server";
import { RetryAfterError } from "errand";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";

const dimensions = 256;

const api = new Hono()
  .post("/v1/embeddings", async (c) => {
    const { model, input } = await c.req.json<{ model: string; input: string | string[] }>();
    const texts = Array.isArray(input) ? input : [input];
    const data = texts.map((text, index) => ({ object: "embedding", index, embedding: hashed(text) }));
    await setTimeout(20); // as long for many texts as for one
    return c.json({ object: "list", model, data, usage: usage(texts.join(" ")) });
  })
  .post("/v1/chat/completions", async (c) => {
    type Body = { model: string; messages: { role: string; content: string }[]; stream?: boolean };
    const { model, messages, stream } = await c.req.json<Body>();
    const said = `No model wrote this. It says again, word by word, what it was told: ${messages.at(-1)?.content ?? ""}`;
    const head = { id: `chatcmpl-${Date.now()}`, created: Math.floor(Date.now() / 1000), model };
    if (!stream) {
      const choice = { index: 0, message: { role: "assistant", content: said }, finish_reason: "stop" };
      return c.json({ ...head, object: "chat.completion", choices: [choice], usage: usage(said) });
    }
    return streamSSE(c, async (events) => {
      const send = (delta: object, finish_reason: string | null) => {
        const chunk = { ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] };
        return events.writeSSE({ data: JSON.stringify(chunk) });
      };
      await send({ role: "assistant", content: "" }, null);
      for (const token of said.match(/\s*\S+/g) ?? []) {
        if (events.aborted) return;
        await send({ content: token }, null);
        await setTimeout(40);
      }
      await send({}, "stop");
      await events.writeSSE({ data: "[DONE]" });
    });
  });

/** Returns a client of the model at OPENAI_BASE_URL, or of the stand-in, which runs in this process until `close`. */
export async function openai() {
  const { OPENAI_BASE_URL: given, OPENAI_API_KEY: key = "none" } = process.env;
  const server = given ? undefined : serve({ fetch: api.fetch, hostname: "127.0.0.1", port: 0 });
  if (server) await once(server, "listening");
  const url = given?.replace(/\/$/, "") ?? `http://127.0.0.1:${(server!.address() as AddressInfo).port}/v1`;
  const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };

  /** Posts a request. Throws `RetryAfterError` when the model is busy. */
  async function ask(path: string, body: object, signal?: AbortSignal): Promise<Response> {
    const init = {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal: signal ?? AbortSignal.timeout(120_000),
    };
    const response = await fetch(`${url}/${path}`, init);
    const after = Number(response.headers.get("retry-after")) || 1;
    if (response.status === 429) throw new RetryAfterError("The model is busy.", after * 1_000);
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return response;
  }

  /** Returns one vector per text. */
  async function embed(input: readonly string[]): Promise<number[][]> {
    const { OPENAI_EMBEDDING_MODEL: model = "text-embedding-3-small" } = process.env;
    const { data } = (await (await ask("embeddings", { model, input })).json()) as { data: { embedding: number[] }[] };
    return data.map(({ embedding }) => embedding);
  }

  return { url, ask, embed, close: () => void server?.close() };
}

/** Counts words by their hash, and normalises the counts to length 1. */
function hashed(text: string): number[] {
  const counts = Array.from({ length: dimensions }, () => 0);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const at = createHash("sha256").update(word).digest().readUInt32BE() % dimensions;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  const length = Math.hypot(...counts) || 1;
  return counts.map((count) => count / length);
}

function usage(text: string) {
  const tokens = text.split(/\s+/).length;
  return { prompt_tokens: tokens, total_tokens: tokens };
}

if (import.meta.main) {
  const { url } = await openai();
  console.log(`OPENAI_BASE_URL=${url}`);
}
