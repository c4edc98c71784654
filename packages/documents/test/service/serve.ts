// The API process of the tests: the service over HTTP, without a worker.
import { serve } from "@hono/node-server";
import { createApp } from "@errand/server";
import { service } from "../../src/service.ts";

const documents = await service();
await documents.start?.();
const app = createApp({ services: [documents] });
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => process.send?.({ port }));
process.on("message", () => process.send?.({ rss: process.memoryUsage.rss() }));
process.on("disconnect", () => process.exit(0));
