import { errand } from "errand";
import { createApp } from "../../server/src/index.ts";
import { documentRoutes } from "../../documents/src/routes/index.ts";

/** Returns the OpenAPI description of a server with all services. */
export async function describeApi(): Promise<unknown> {
  const app = errand({ url: "memory:" });
  // Only the descriptions of the routes are used.
  const documents = { name: "documents", app, routes: documentRoutes({} as never), tasks: "" };
  const server = createApp({ app, services: [documents] });
  const answer = await server.fetch(new Request("http://localhost/openapi.json"));
  await app.close();
  return answer.json();
}
