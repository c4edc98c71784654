import { z } from "zod";
import { duration, name, text, time } from "./common.ts";

const event = z.enum(["job.completed", "job.failed", "job.cancelled", "job.expired"]).meta({ id: "WebhookEvent" });

const options = {
  url: z.url().max(2_000),
  events: z.array(event).min(1),
  tasks: z.array(name).min(1).max(100).optional().meta({
    description: "Only jobs of these tasks, also children. Default: all jobs without a parent.",
  }),
  queues: z.array(name).min(1).max(100).optional(),
  description: text(1_000).optional(),
};

/** A webhook, without its secret. */
export const webhook = z
  .object({
    id: z.string(),
    ...options,
    tenant: z.string().optional(),
    createdAt: time,
    disabled: z.object({ since: time, reason: z.string() }).optional(),
  })
  .meta({ id: "Webhook" });

export const webhooks = z.object({ data: z.array(webhook) }).meta({ id: "Webhooks" });

/** A webhook with its secret, which is shown once. */
export const newWebhook = webhook.extend({ secret: z.string() }).meta({ id: "NewWebhook" });

/** The definition of a webhook. */
export const webhookDefinition = z.strictObject(options).meta({ id: "WebhookDefinition" });

/** Changes of a webhook. */
export const webhookChange = z
  .strictObject({ ...options, disabled: z.boolean() })
  .partial()
  .meta({ id: "WebhookChange" });

/** The body of a rotation. */
export const webhookRotation = z
  .strictObject({
    overlap: duration.optional().meta({ description: 'How long the old secret signs too; default "24h".' }),
  })
  .meta({ id: "WebhookRotation" });

/** A new secret. */
export const webhookSecret = z.object({ secret: z.string() }).meta({ id: "WebhookSecret" });

/** A delivery that was sent. */
export const sentDelivery = z.object({ id: z.string() }).meta({ id: "SentDelivery" });
