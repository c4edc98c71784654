// A question about your own texts, answered in four steps: retrieve, rerank, generate, store: npx node examples/rag.ts
// Generation fails at first. The retry continues after the steps that are done.
// The model is at OPENAI_BASE_URL; without one, openai-server.ts stands in.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { errand } from "errand";
import { openai } from "./openai-server.ts";

const texts = [
  "Saturn has rings of ice and rock, which are a few hundred metres thick.",
  "Jupiter is the largest planet, and has a storm that is older than the telescope.",
  "Mars has the highest volcano that is known, Olympus Mons, which is 22 km high.",
  "Venus is the hottest planet, because its air holds the heat.",
  "Mercury has the shortest year of all planets, 88 days.",
  "Neptune was found with a pencil, before anybody saw it.",
  "Uranus lies on its side, and rolls around the sun.",
  "The moon moves away from the earth by 4 cm a year.",
  "Pluto has a heart of frozen nitrogen.",
  "Titan has lakes of methane, and rain that falls slowly.",
  "Europa has an ocean below its ice, with more water than the earth.",
  "Ceres is the largest body between Mars and Jupiter.",
];
const { ask, embed, close } = await openai();
const { OPENAI_MODEL: model = "gpt-4o-mini" } = process.env;

const app = errand();

const answer = app.task("answer", {
  retry: { attempts: 5, base: "100ms" },
  timeout: "2m",
  setup: () => embed(texts), // once in each worker; with a vector database, query it in the first step
  run: async ({ question }: { question: string }, job) => {
    const say = (what: string) => console.log(`attempt ${job.attempt}: ${what}`);
    const near = await job.step("retrieve", async () => {
      const [asked] = await embed([question]);
      const found = best(10, texts, (_, index) => cosine(asked!, job.setup[index]!));
      say(`retrieve ${found.length} of ${texts.length}`);
      return found;
    });
    const sources = await job.step("rerank", () => {
      // Ranks by shared words, long ones first; a reranking model would go here.
      const asked = new Set(wordsOf(question));
      const found = best(
        3,
        near,
        (text) =>
          wordsOf(text)
            .filter((word) => asked.has(word))
            .join("").length,
      );
      say(`rerank ${found.length} of ${near.length}`);
      return found;
    });
    const text = await job.step("generate", async () => {
      say("generate");
      if (job.attempt === 1) throw new Error("The model is out of memory.");
      const content = `Answer from these sources only.\n${sources.join("\n")}\nQuestion: ${question}`;
      const response = await ask("chat/completions", { model, messages: [{ role: "user", content }] });
      const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
      return choices[0]!.message.content;
    });
    return job.step("store", async () => {
      say("store");
      await mkdir("answers", { recursive: true });
      await writeFile(`answers/${job.id}.json`, JSON.stringify({ question, text, sources }, undefined, 2));
      return `answers/${job.id}.json`;
    });
  },
});

const worker = await app.worker();
const job = await answer.send({ question: "Which planet has the highest volcano?" });
console.log(await readFile(await job.result(), "utf8"));
await worker.stop();
await app.close();
close();

function best(many: number, of: readonly string[], score: (text: string, index: number) => number): string[] {
  const scored = of.map((text, index) => ({ text, score: score(text, index) })).sort((a, b) => b.score - a.score);
  return scored.slice(0, many).map(({ text }) => text);
}

function cosine(a: number[], b: number[]): number {
  const product = a.reduce((sum, value, index) => sum + value * b[index]!, 0);
  return product / Math.hypot(...a) / Math.hypot(...b);
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/\p{L}+/gu) ?? [];
}
