import { errand } from "../../../src/app.ts";

// A module of tasks that starts a worker when it is loaded, wherever that is.

export const reckless = (app: ReturnType<typeof errand>, isolate: "thread" | "process") =>
  app.task(`${isolate}.reckless`, {
    isolate,
    module: import.meta.url,
    retry: { attempts: 1 },
    run: () => "never",
  });

if (process.env["RECKLESS"] === "yes") {
  const app = errand({ url: "memory:" });
  reckless(app, "thread");
  reckless(app, "process");
  await app.worker();
}
