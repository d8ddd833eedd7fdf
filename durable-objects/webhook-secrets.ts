/** What the settings object adds to webhooks that users write: secrets, which outlive every later write. */
import type { ItemInputs, ItemOutput } from "../src/api/objects.ts";
import { compileWebhook } from "../src/schemas/webhook.ts";
import type { FeedWebhook } from "../src/webhooks/route.ts";
import { makeSecret } from "../src/webhooks/signature.ts";

type Written = ItemInputs["webhooks"];
type Stored = ItemOutput<"webhooks">;

function newSecret(): string {
  return makeSecret((bytes) => crypto.getRandomValues(bytes));
}

/** A written webhook with the secrets of the one that it replaces, or new ones. */
export function withSecrets<W extends Written>(written: W, held: Stored | undefined): W {
  const routingKey = written.routing_key ?? held?.routing_key;
  return {
    ...written,
    ...(routingKey === undefined ? {} : { routing_key: routingKey }),
    secrets: held?.secrets ?? [{ secret: newSecret() }],
  };
}

/** The webhook with a new secret; the newest of before signs beside it until `untilMs`, older ones no more. */
export function rotated(held: Stored, untilMs: number): Stored {
  const [newest] = held.secrets ?? [];
  const before = newest === undefined ? [] : [{ secret: newest.secret, untilMs }];
  return { ...held, secrets: [{ secret: newSecret() }, ...before] };
}

/** The webhooks as the feed runs them, each with the thresholds that name it. */
export function feedWebhooks(
  webhooks: readonly Stored[],
  thresholds: readonly ItemOutput<"thresholds">[],
): FeedWebhook[] {
  return webhooks.map((stored) => {
    const naming = thresholds.filter(({ notify }) => notify?.includes(stored.id) === true);
    return compileWebhook(
      stored,
      naming.map(({ id }) => id),
    );
  });
}
