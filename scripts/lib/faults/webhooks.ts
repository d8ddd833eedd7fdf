/**
 * SIGKILL while webhooks are being delivered, again and again, to a receiver that takes its time and to one that is busy now
 * and then. Every event must reach each at least once, verified, in the order of its sequence and under one id however
 * often it is tried. The control forgets a message before it is sent; it must be found out.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Draw } from "../../../src/simulate/random.ts";
import { putRule, rule, withoutStorms } from "../../../test/contract/helpers/rules.ts";
import { until } from "../../../test/support/client.ts";
import { atLeast, balanced, exactly, type Fault, type FaultContext, shown, under } from "./fault.ts";
import { FeedReader } from "./feed-reader.ts";
import { completed, makeBatch } from "./ledger.ts";
import { Mailbox, openReceiver } from "./receiver.ts";
import { FaultServer } from "./server.ts";
import { type Variant, Workshop } from "./workshop.ts";

const SITE = "shop";
const SEED = 20_261_125;
const BATCH = 3;
const BATCH_EVERY_MS = 250;
/** A receiver takes up to this long, so that a kill mostly finds a message under way. */
const ANSWER_MAX_MS = 120;
/** The busy one's fourth try of so many is refused, and everything behind it waits for some seconds. */
const BUSY_EVERY = 100;
const BUSY_TRY = 4;
/** An engine lives for a random time of this length, from its start, before it is killed. */
const LIFE_MIN_MS = 600;
const LIFE_MAX_MS = 1_600;
/** After the last kill nothing comes in: what is pending is found by the alarm alone, which may stand at a try's lease. */
const DRAIN_MS = 90_000;
const POLL_MS = 200;

export const webhooks: Fault = {
  name: "webhooks",
  about: "SIGKILL while webhooks are delivered: each event at least once, under one id, verified",
  run: async (context) => {
    const outcome = await webhookRun({}, context.quick ? 5 : 40, context);
    return [
      shown("kills", outcome.kills),
      shown("events", outcome.raised),
      atLeast("kills that found messages pending", outcome.pendingKills, Math.floor(outcome.kills / 2)),
      ...outcome.boxes.flatMap((box) => [
        balanced(`${box.name}: events`, ["raised", outcome.raised], ["delivered", box.delivered]),
        exactly("never delivered", box.missing, 0),
        exactly("that did not verify", box.faults, 0),
        exactly("events under more than one id, or ids of more than one event", box.mixed, 0),
        exactly("first deliveries out of order", box.disordered, 0),
        // What was under way is not marked on disk, and there is one message under way.
        under("deliveries of what had been taken", box.repeated, outcome.kills + 1, "times"),
      ]),
      exactly("counted as given up", outcome.failures, 0),
    ];
  },
};

export const webhooksForget: Fault = {
  name: "webhooks-forget",
  about: "the control: an outbox that forgets a message before it is sent must be found out",
  run: async (context) => {
    const forgets = {
      file: "durable-objects/webhook-outbox.ts",
      from: "      const sent = await send(",
      to: "      store.remove(webhook.id, due.sequence);\n      const sent = await send(",
    };
    const { kills, boxes } = await webhookRun({ replacements: [forgets] }, context.quick ? 6 : 12, context);
    const missing = boxes.reduce((sum, box) => sum + box.missing, 0);
    return [shown("kills", kills), atLeast("events never delivered", missing, 1)];
  },
};

interface BoxOutcome {
  readonly name: string;
  readonly delivered: number;
  readonly missing: number;
  readonly faults: number;
  readonly mixed: number;
  readonly disordered: number;
  readonly repeated: number;
}

interface Outcome {
  readonly kills: number;
  /** Kills before which some webhook had messages that were not delivered yet. */
  readonly pendingKills: number;
  readonly raised: number;
  readonly boxes: readonly BoxOutcome[];
  readonly failures: number;
}

async function webhookRun(variant: Variant, kills: number, { log }: FaultContext): Promise<Outcome> {
  const workshop = new Workshop();
  const draw = new Draw("webhooks", SEED);
  const afterMs = () => draw.int(ANSWER_MAX_MS);
  const slow = new Mailbox("slow", () => ({ afterMs: afterMs(), status: 204 }));
  let tries = 0;
  const busy = new Mailbox("busy", () => {
    return { afterMs: afterMs(), status: ++tries % BUSY_EVERY === BUSY_TRY ? 503 : 200 };
  });
  const boxes = [slow, busy];
  const receiver = await openReceiver(boxes);
  const server = await FaultServer.open({
    root: await workshop.bundle(variant),
    ...{ disk: workshop.folder(), shards: 2 },
    settings: { TICK: "1s", WEBHOOK_TEST_TARGETS: "loopback" },
  });
  let isDone = false;
  try {
    await withoutStorms(server.client, SITE);
    for (const box of boxes) box.secret = await makeWebhook(server, box.name, receiver.urlOf(box));
    const when = { signal: "reqs", window: "1h", op: ">", value: 0 };
    await putRule(server.client, SITE, rule("first", { when, notify: boxes.map(({ name }) => name) }));
    const made: string[] = [];
    const maker = async () => {
      for (let n = 0; !isDone; n++) {
        const batch = makeBatch(0, n, BATCH, Date.now());
        await completed(server.client, SITE, batch);
        made.push(...batch.ja4s);
        await sleep(BATCH_EVERY_MS);
      }
    };
    const making = maker();
    let pendingKills = 0;
    for (let kill = 1; kill <= kills; kill++) {
      await sleep(LIFE_MIN_MS + draw.int(LIFE_MAX_MS - LIFE_MIN_MS));
      if ((await statusOf(server, boxes)).pending > 0) pendingKills++;
      // Before the last one no more comes in.
      if (kill === kills) {
        isDone = true;
        await making;
      }
      await server.kill();
      await server.start();
      if (kill % 10 === 0) log(`${kill} kills, ${made.length} fingerprints, ${slow.received.length} tries`);
    }
    const raised = await untilAllRaised(server, made);
    const { failures } = await until("nothing pending", DRAIN_MS, async () => {
      const status = await statusOf(server, boxes);
      return status.pending === 0 ? status : undefined;
    });
    return {
      kills,
      pendingKills,
      raised: raised.length,
      boxes: boxes.map((box) => outcomeOf(box, raised)),
      failures,
    };
  } finally {
    isDone = true;
    await server.kill();
    receiver.close();
    workshop.close();
  }
}

async function makeWebhook({ client }: FaultServer, name: string, url: string): Promise<string> {
  const json = { url, format: "cloudevents" };
  const answer = await client.put(`/v1/sites/${SITE}/webhooks/${name}`, { json });
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
  return answer.json<{ secret: string }>().secret;
}

/** Sums over all webhooks. */
async function statusOf(
  { client }: FaultServer,
  boxes: readonly Mailbox[],
): Promise<{ pending: number; failures: number }> {
  const sum = { pending: 0, failures: 0 };
  for (const { name } of boxes) {
    const answer = await client.get(`/v1/sites/${SITE}/webhooks/${name}`);
    const { status } = answer.json<{ status: { pending: number; failures: number } }>();
    sum.pending += status.pending;
    sum.failures += status.failures;
  }
  return sum;
}

/** Sequences of the events on the feed, once every fingerprint is among them. */
async function untilAllRaised(server: FaultServer, made: readonly string[]): Promise<number[]> {
  const reader = new FeedReader("websocket", SITE);
  return await until("every fingerprint raised", DRAIN_MS, async () => {
    const connection = await reader.connect(server);
    if (connection === undefined) return undefined;
    await sleep(POLL_MS);
    reader.process(connection);
    connection.close();
    const seen = new Set(reader.subjects);
    return made.every((ja4) => seen.has(ja4)) ? [...reader.sequences] : undefined;
  });
}

function outcomeOf({ name, received, faults }: Mailbox, raised: readonly number[]): BoxOutcome {
  const taken = received.filter(({ isTaken }) => isTaken);
  const delivered = new Set(taken.map(({ sequence }) => sequence));
  const events = new Map<string, Set<string>>();
  const messages = new Map<string, Set<string>>();
  for (const { messageId, eventId } of received) {
    events.set(messageId, (events.get(messageId) ?? new Set()).add(eventId));
    messages.set(eventId, (messages.get(eventId) ?? new Set()).add(messageId));
  }
  const firsts = [...delivered];
  return {
    ...{ name, delivered: delivered.size, faults: faults.length },
    missing: raised.filter((sequence) => !delivered.has(sequence)).length,
    mixed: [...events.values(), ...messages.values()].filter(({ size }) => size > 1).length,
    disordered: firsts.filter((sequence, i) => i > 0 && sequence < firsts[i - 1]!).length,
    repeated: taken.length - delivered.size,
  };
}
