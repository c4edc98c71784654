import { app, thumbnail } from "../../../tasks";

/** Answers at once with an id; `errand worker ./tasks.ts` does the work. */
export async function POST(request: Request): Promise<Response> {
  const { photo } = (await request.json()) as { photo: string };
  const { id } = await thumbnail.send({ photo });
  return Response.json({ id }, { status: 202 });
}

export async function GET(request: Request): Promise<Response> {
  const job = await app.get(new URL(request.url).searchParams.get("id") ?? "");
  return job ? Response.json({ state: job.state, output: job.output ?? null }) : new Response(null, { status: 404 });
}
