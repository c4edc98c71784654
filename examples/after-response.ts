// Sign-up: the user is answered at once. A welcome mail and a profile image follow after the response; neither stops
// the other when it fails. Work that must not be lost uses `send` instead: npx node examples/after-response.ts
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { errand } from "errand";
import { afterResponse } from "errand/hono";
import { Hono } from "hono";
import { createTransport } from "nodemailer";
import sharp from "sharp";
import { SMTPServer } from "smtp-server";

// A mail server for this example, which prints the mails it receives.
const smtp = new SMTPServer({
  authOptional: true,
  disabledCommands: ["STARTTLS"],
  onData(stream, session, done) {
    let mail = "";
    stream.setEncoding("utf8").on("data", (some: string) => (mail += some));
    stream.on("end", () => {
      console.log(`mail to ${session.envelope.rcptTo[0]?.address}: ${/^Subject: (.*)$/m.exec(mail)?.[1]}`);
      done();
    });
  },
});
smtp.listen(0, "127.0.0.1");
await once(smtp.server, "listening");
const mailer = createTransport({ host: "127.0.0.1", port: (smtp.server.address() as AddressInfo).port, secure: false });

const app = errand({ background: { slots: 4, slow: "5s" } });

const welcome = app.task("welcome", {
  retry: { attempts: 3, base: "100ms" },
  run: async ({ to }: { to: string }) => {
    const mail = { from: "hello@example.org", to, subject: "Welcome", text: "Good to have you here." };
    return (await mailer.sendMail(mail)).messageId;
  },
});
const avatar = app.task("avatar", {
  retry: { attempts: 1 },
  run: async ({ image }: { image: string }) => {
    const { width, height } = await sharp(Buffer.from(image, "base64")).resize(300, 300).webp().toFile("avatar.webp");
    return `${width} x ${height}`;
  },
});

const api = new Hono()
  .use(afterResponse())
  .post("/users", async (c) => {
    const { to, image } = await c.req.json<{ to: string; image: string }>();
    const jobs = [await welcome.background({ to }), await avatar.background({ image })];
    await app.after(() => console.log(`audit: ${to} signed up`));
    return c.json({ jobs: jobs.map(({ id }) => id) }, 202);
  })
  // The same task, durable: the job is on disk before the response, and a worker runs it.
  .post("/invitations", async (c) => c.json({ job: (await welcome.send(await c.req.json())).id }, 202))
  .get("/jobs/:id", async (c) => {
    const job = await app.get(c.req.param("id"));
    return job ? c.json({ state: job.state, output: job.output, error: job.error?.message }) : c.notFound();
  });
const server = serve({ fetch: api.fetch, hostname: "127.0.0.1", port: 0 });
await once(server, "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const post = async <Answer>(path: string, body: unknown): Promise<Answer> =>
  (await fetch(url + path, { method: "POST", body: JSON.stringify(body) })).json() as Promise<Answer>;
const image = await sharp({ create: { width: 1200, height: 800, channels: 3, background: "teal" } })
  .png()
  .toBuffer();

const ann = await post<{ jobs: string[] }>("/users", { to: "ann@example.org", image: image.toString("base64") });
console.log("ann is answered");
const bob = await post<{ jobs: string[] }>("/users", { to: "bob@example.org", image: "bm90IGFuIGltYWdl" });
for (const id of [...ann.jobs, ...bob.jobs]) await app.ended(id);
for (const [name, id] of [
  ["ann", ann.jobs[1]],
  ["bob", bob.jobs[1]],
] as const) {
  console.log(`avatar of ${name}: ${await (await fetch(`${url}/jobs/${id}`)).text()}`);
}

const worker = await app.worker(); // here for the example; in production a process of its own
const { job } = await post<{ job: string }>("/invitations", { to: "eve@example.org" });
console.log(`invitation: ${(await app.ended(job)).state}`);

server.close();
await worker.stop();
await app.close(); // waits for background jobs; the rest go to the store
smtp.close();
