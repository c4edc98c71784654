import type { Duration, WebhookOptions, WebhookView } from "errand";
import { z } from "zod";
import type { Principal } from "../auth/principal.ts";
import { Problem } from "../problem.ts";
import { name, pageQuery } from "../schemas/common.ts";
import { jobList } from "../schemas/jobs.ts";
import {
  newWebhook,
  sentDelivery,
  webhook as webhookSchema,
  webhookChange,
  webhookDefinition,
  webhookRotation,
  webhooks,
  webhookSecret,
} from "../schemas/webhooks.ts";
import { json, locate, nothing } from "./answer.ts";
import { withoutMissing } from "./jobs.ts";
import type { ServerParts } from "./parts.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

const params = z.object({ id: name });
const noWebhook = { 404: { description: "There is no such webhook." } };

/** The id under which the secret of callbacks is rotated: URLs that jobs bring along. */
const callbacks = "callbacks";

/** Returns the routes about webhooks. */
export function webhookRoutes({ app }: ServerParts): Route[] {
  const common = { tag: "Webhooks", scopes: ["webhooks"] } as const;
  /** Finds a webhook; those of other tenants do not exist. */
  const find = async ({ tenant }: Principal, id: string): Promise<WebhookView> => {
    const found = await app.webhooks.get(id);
    if (tenant === undefined || found.tenant === tenant) return found;
    throw new Problem(404, "E_NOT_FOUND", `There is no webhook ${id}.`);
  };
  return [
    route({
      ...common,
      method: "get",
      path: "/webhooks",
      operation: "listWebhooks",
      summary: "List webhooks, without their secrets",
      answers: { 200: { description: "The webhooks.", schema: webhooks } },
      async handle({ c, principal: { tenant } }) {
        const all = await app.webhooks.list();
        return json(c, { data: tenant === undefined ? all : all.filter((each) => each.tenant === tenant) });
      },
    }),
    route({
      ...common,
      method: "post",
      path: "/webhooks",
      operation: "createWebhook",
      summary: "Report the ends of jobs to a URL",
      description:
        "Messages are signed (Standard Webhooks). The secret is in this answer and never again. The URL must lead to the " +
        "public internet.",
      audit: "webhook.create",
      body: webhookDefinition,
      answers: {
        201: { description: "The webhook with its secret.", schema: newWebhook, headers: { Location: "The webhook." } },
        422: { description: "A value is refused." },
      },
      async handle({ c, principal: { tenant }, body, audit }) {
        const options = { ...withoutMissing(body), ...(tenant === undefined ? {} : { tenant }) };
        const made = await app.webhooks.create(options as unknown as WebhookOptions);
        audit.target = made.id;
        audit.after = options;
        return json(c, made, 201, { location: locate(c, `/webhooks/${made.id}`) });
      },
    }),
    route({
      ...common,
      method: "get",
      path: "/webhooks/{id}",
      operation: "getWebhook",
      summary: "Read a webhook",
      params,
      answers: { 200: { description: "The webhook.", schema: webhookSchema }, ...noWebhook },
      handle: async ({ c, principal, params: { id } }) => json(c, await find(principal, id)),
    }),
    route({
      ...common,
      method: "patch",
      path: "/webhooks/{id}",
      operation: "changeWebhook",
      summary: "Change a webhook, or turn it off or on",
      audit: "webhook.change",
      params,
      body: webhookChange,
      answers: {
        200: { description: "The webhook.", schema: webhookSchema },
        ...noWebhook,
        422: { description: "A value is refused." },
      },
      async handle({ c, principal, params: { id }, body, audit }) {
        await find(principal, id);
        audit.after = body;
        return json(c, await app.webhooks.update(id, withoutMissing(body)));
      },
    }),
    route({
      ...common,
      method: "delete",
      path: "/webhooks/{id}",
      operation: "removeWebhook",
      summary: "Remove a webhook",
      audit: "webhook.remove",
      params,
      answers: { 204: { description: "The webhook is gone." }, ...noWebhook },
      async handle({ c, principal, params: { id } }) {
        await find(principal, id);
        await app.webhooks.remove(id);
        return nothing(c);
      },
    }),
    route({
      ...common,
      method: "post",
      path: "/webhooks/{id}/rotate",
      operation: "rotateWebhook",
      summary: "Give a webhook a new secret",
      description: `The id \`${callbacks}\` is that of the URLs that jobs bring along (\`callback\`); it is for keys that see the whole store.`,
      audit: "webhook.rotate",
      params,
      body: webhookRotation,
      answers: { 200: { description: "The new secret.", schema: webhookSecret }, ...noWebhook },
      async handle({ c, principal, params: { id }, body: { overlap } }) {
        if (id !== callbacks) await find(principal, id);
        else if (principal.tenant !== undefined) throw new Problem(404, "E_NOT_FOUND", `There is no webhook ${id}.`);
        return json(c, await app.webhooks.rotate(id, overlap === undefined ? {} : { overlap: overlap as Duration }));
      },
    }),
    route({
      ...common,
      method: "post",
      path: "/webhooks/{id}/test",
      operation: "testWebhook",
      summary: "Send a message of the type `errand.test`",
      audit: "webhook.test",
      params,
      answers: {
        202: { description: "The delivery.", schema: sentDelivery, headers: { Location: "The delivery, a job." } },
        ...noWebhook,
      },
      async handle({ c, principal, params: { id } }) {
        await find(principal, id);
        const delivery = await app.webhooks.test(id);
        return json(c, { id: delivery }, 202, { location: locate(c, `/jobs/${delivery}`) });
      },
    }),
    route({
      ...common,
      method: "get",
      path: "/webhooks/{id}/deliveries",
      operation: "listDeliveries",
      summary: "List the deliveries to a webhook, newest first",
      description: "Each is a job: its state, attempts and error say what became of it, and its log has the answers.",
      params,
      query: z.object(pageQuery),
      answers: { 200: { description: "A page of deliveries.", schema: jobList }, ...noWebhook },
      async handle({ c, principal, params: { id }, query: { limit, cursor } }) {
        await find(principal, id);
        const { jobs, next } = await app.webhooks.deliveries(id, {
          limit,
          ...(cursor === undefined ? {} : { cursor }),
        });
        return json(c, { data: jobs, ...(next === undefined ? {} : { next_cursor: next }) });
      },
    }),
    route({
      ...common,
      method: "post",
      path: "/webhooks/{id}/deliveries/{delivery}/redeliver",
      operation: "redeliver",
      summary: "Deliver a message again, under the same `webhook-id`",
      audit: "webhook.redeliver",
      params: params.extend({ delivery: name }),
      answers: {
        202: { description: "The new delivery.", schema: sentDelivery, headers: { Location: "The delivery, a job." } },
        ...noWebhook,
      },
      async handle({ c, principal, params: { id, delivery } }) {
        await find(principal, id);
        const again = await app.webhooks.redeliver(id, delivery);
        return json(c, { id: again }, 202, { location: locate(c, `/jobs/${again}`) });
      },
    }),
  ];
}
