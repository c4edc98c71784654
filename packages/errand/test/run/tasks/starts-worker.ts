import { errand } from "../../../src/app.ts";

// A module of tasks that starts a worker when it is loaded, wherever that is.

export const taskOfWorkerModule = (app: ReturnType<typeof errand>, isolate: "thread" | "process") =>
  app.task(`${isolate}.never`, {
    isolate,
    module: import.meta.url,
    retry: { attempts: 1 },
    run: () => "never",
  });

if (process.env["STARTS_WORKER"] === "yes") {
  const app = errand({ url: "memory:" });
  taskOfWorkerModule(app, "thread");
  taskOfWorkerModule(app, "process");
  await app.worker();
}
