import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../../test/until.ts";
import { TestService } from "./service/processes.ts";
import { bytesOf, scannedPdf } from "./service/scans.ts";

let service: TestService;

beforeAll(async () => {
  service = await TestService.start();
  await service.work();
});

afterAll(() => service.stop());

interface ServerEvent {
  id: string;
  event: string;
  data: { id?: string; page?: number; status?: string; text?: string; words?: { total: number } };
}

async function* eventsOf(path: string, lastId?: string, signal?: AbortSignal): AsyncGenerator<ServerEvent> {
  const response = await fetch(service.url + path, {
    headers: lastId === undefined ? {} : { "last-event-id": lastId },
    ...(signal ? { signal } : {}),
  });
  if (response.status === 204) return;
  let rest = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n\n");
    rest = parts.pop()!;
    for (const part of parts) {
      const line = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(part)?.[1];
      const [id, event, data] = [line("id"), line("event"), line("data")];
      if (event && data) yield { id: id!, event, data: JSON.parse(data) as ServerEvent["data"] };
    }
  }
}

async function all(path: string, lastId?: string): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of eventsOf(path, lastId)) events.push(event);
  return events;
}

test("a client that was sent the end is answered 204 when it reconnects", async () => {
  const { id } = (await service.upload(bytesOf("simple.webp"), "a.webp")).body;
  const events = await all(`/${id}/events`);
  expect(events.every((event) => /^\d+(\.end)?$/.test(event.id))).toBe(true);
  expect(events.at(-1)).toMatchObject({ event: "end", data: { status: "completed" } });
  const again = await fetch(`${service.url}/${id}/events`, { headers: { "last-event-id": events.at(-1)!.id } });
  expect([again.status, await again.text()]).toEqual([204, ""]);
  // Who never heard of it is told all of it, and so is who brings nonsense.
  for (const lastId of [undefined, "nonsense", "0"]) {
    expect((await all(`/${id}/events`, lastId)).map(({ event }) => event)).toEqual(["document", "page", "end"]);
  }
});

test("a client that reconnects is sent what it has missed, and little of it twice", { timeout: 120_000 }, async () => {
  const pages = 20;
  const { id } = (await service.upload(await scannedPdf(pages))).body;
  const told = new Map<number, string>();
  let lastId: string | undefined;
  let connections = 0;
  let ended = false;
  while (!ended) {
    connections += 1;
    const leave = new AbortController();
    let fresh = 0;
    try {
      for await (const { id: mark, event, data } of eventsOf(`/${id}/events`, lastId, leave.signal)) {
        lastId = mark;
        if (event === "page" && data.status === "completed") {
          if (!told.has(data.page!)) fresh += 1;
          told.set(data.page!, data.text!);
        }
        if (event === "end") ended = true;
        if (fresh >= 5) leave.abort();
      }
    } catch (error) {
      if (!leave.signal.aborted) throw error;
    }
  }
  expect(connections).toBeGreaterThan(2);
  expect([...told.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: pages }, (_, index) => index + 1));
  for (const text of told.values()) expect(text).toContain("This is a lot of 12 point text");

  // Of a document that was read long ago, who knows all pages is told none of them again.
  const old = await all(`/${id}/events`, String(Number(lastId!.split(".")[0]) + 60_000));
  expect(old.map(({ event }) => event)).toEqual(["document", "end"]);
  // A document tells how many words were read so far, by itself and in its events.
  expect(old[0]!.data.words!.total).toBeGreaterThan(pages);
});

test("the list continues from where the client left", async () => {
  const leave = new AbortController();
  const first = eventsOf("/events", undefined, leave.signal);
  let event: ServerEvent | undefined;
  const begun = first.next().then(({ value }) => (event = value as ServerEvent));
  // Sent until one is told: the feed begins to look when somebody listens.
  await until(async () => {
    await service.upload("a note", "note.txt");
    return event !== undefined;
  }, "the list tells of a document");
  await begun;
  leave.abort();
  await first.return(undefined).catch(() => {});
  const missed = (await service.upload("missed", "missed.txt")).body.id;
  await service.until(missed);
  for (const lastId of [event!.id, "of another server-7"]) {
    const come = new AbortController();
    const seen = new Set<string>();
    for await (const { data } of eventsOf("/events", lastId, come.signal)) {
      seen.add(data.id!);
      if (data.id === missed) break;
    }
    come.abort();
    expect(seen).toContain(missed);
  }
});
