/**
 * SIGKILL under load, again and again on one disk: what was acknowledged is there once, what was under way is completed by
 * its key. The control is the same run on a shard that acknowledges before it writes; it must lose something, or the run
 * could not see a loss.
 */
import { Draw } from "../../../src/simulate/random.ts";
import { type IngestAnswer, summaryOf } from "../../../test/support/client.ts";
import {
  atLeast,
  balanced,
  exactly,
  type Fault,
  type FaultContext,
  type Figure,
  quantile,
  shown,
} from "./fault.ts";
import {
  type Batch,
  compare,
  completed,
  counted,
  globOf,
  makeBatch,
  rowsOf,
  send,
  type Wrong,
} from "./ledger.ts";
import { FaultServer } from "./server.ts";
import { type Variant, Workshop } from "./workshop.ts";

const SITE = "shop";
const SHARDS = 4;
const CLIENTS = 16;
/** Share of the requests that send an acknowledged batch again. */
const REDELIVERED = 0.1;
const FINGERPRINTS = 4;
/** Of the first batch after a start, so that every shard must answer: all four are missed by one of them once in 10^4 runs. */
const FIRST_FINGERPRINTS = 40;
/** A life ends when so many batches are acknowledged in it, at random in between. */
const ACKS_MIN = 60;
const ACKS_MAX = 200;
const SEED = 20_261_123;
const EARLY_ACK = new URL("../../../test/workerd/aux/early-ack.ts", import.meta.url);

export const kill: Fault = {
  name: "kill",
  about: "SIGKILL under load: nothing acknowledged is lost, nothing counts twice",
  run: async (context) => {
    const outcome = await killRun({}, context.quick ? 4 : 100, context);
    return [
      shown("kills", outcome.kills),
      atLeast("acknowledged batches", outcome.acknowledged, outcome.kills * ACKS_MIN),
      atLeast("of those delivered again", outcome.redelivered, 1),
      exactly("acknowledged batches lost", outcome.lost.size, 0),
      exactly("batches counted twice", outcome.doubled.size, 0),
      exactly("repeats with another answer", outcome.changed, 0),
      balanced("observations", ["sent", outcome.sent], ["in the 1h windows", outcome.inWindows]),
      balanced("observations", ["sent", outcome.sent], ["accepted since the start", outcome.accepted]),
      ...restartFigures(outcome.restartsMs),
    ];
  },
};

export const killEarlyAck: Fault = {
  name: "kill-early-ack",
  about: "the control: a shard that acknowledges before it writes must be found out",
  run: async (context) => {
    const outcome = await killRun({ entry: EARLY_ACK }, context.quick ? 2 : 10, context);
    return [
      shown("kills", outcome.kills),
      shown("acknowledged batches", outcome.acknowledged),
      atLeast("acknowledged batches lost", outcome.lost.size, 1),
    ];
  },
};

/** Process start to first acknowledgement. */
export function restartFigures(restartsMs: readonly number[], where = ""): Figure[] {
  const ms = (share: number) => `${Math.round(quantile(restartsMs, share))} ms`;
  const figure = `${where === "" ? "" : `${where}: `}restart to first ack, p50 / p99 / max`;
  return [shown(figure, `${ms(0.5)} / ${ms(0.99)} / ${ms(1)}`)];
}

/** `lost`: acknowledged batches of which something was missing after the kill, or at the end. */
interface Outcome extends Wrong {
  readonly kills: number;
  acknowledged: number;
  redelivered: number;
  /** Repeats of an acknowledged batch that were answered in another way than the first time. */
  changed: number;
  /** Observations of all batches, each once. */
  sent: number;
  inWindows: number;
  accepted: number;
  restartsMs: number[];
}

/** One life of the server: its acknowledged batches, and those that broke off. */
interface Life {
  readonly acknowledged: Batch[];
  readonly broken: Batch[];
}

async function killRun(variant: Variant, kills: number, { log }: FaultContext): Promise<Outcome> {
  const workshop = new Workshop();
  const root = await workshop.bundle(variant);
  const server = await FaultServer.open({ root, disk: workshop.folder(), shards: SHARDS });
  const outcome: Outcome = {
    ...{ kills, lost: new Set<string>(), doubled: new Set<string>(), restartsMs: [] },
    ...{ acknowledged: 0, redelivered: 0, changed: 0, sent: 0, inWindows: 0, accepted: 0 },
  };
  const everything: Batch[][] = [];
  try {
    let first = await firstAck(server, 0);
    for (let life = 0; life < kills; life++) {
      const { acknowledged, broken } = await liveAndDie(server, life, outcome);
      acknowledged.push(first);
      const fromMs = performance.now();
      await server.start();
      first = await firstAck(server, life + 1);
      outcome.restartsMs.push(performance.now() - fromMs);

      const found = await counted(server.client, SITE, globOf(life));
      compare(acknowledged, found, outcome);
      compare(broken, found, { doubled: outcome.doubled });
      for (const batch of broken) await completed(server.client, SITE, batch);
      everything.push([...acknowledged, ...broken]);
      outcome.acknowledged += acknowledged.length;
      server.client.answers.length = 0;
      if ((life + 1) % 10 === 0) log(`${life + 1} kills, ${outcome.acknowledged} batches acknowledged`);
    }
    everything.push([first]);
    // Once more over all lives: a later kill must not undo what an earlier one left.
    for (const [life, batches] of everything.entries()) {
      compare(batches, await counted(server.client, SITE, globOf(life)), outcome);
      for (const batch of batches) outcome.sent += rowsOf(batch);
    }
    const summary = await summaryOf(server.client, SITE);
    outcome.inWindows = summary.windows["1h"].reqs;
    outcome.accepted = summary.since_start.accepted ?? 0;
    return outcome;
  } finally {
    await server.kill();
    workshop.close();
  }
}

/** Sends a batch for every shard until it is acknowledged. */
async function firstAck(server: FaultServer, life: number): Promise<Batch> {
  const batch = makeBatch(life, 0, FIRST_FINGERPRINTS, Date.now());
  await completed(server.client, SITE, batch);
  return batch;
}

async function liveAndDie(server: FaultServer, life: number, outcome: Outcome): Promise<Life> {
  const draw = new Draw("kill", SEED, life);
  const dieAfter = ACKS_MIN + draw.int(ACKS_MAX - ACKS_MIN);
  const acknowledged: Batch[] = [];
  const answers: IngestAnswer[] = [];
  const broken: Batch[] = [];
  let next = 1;
  let death: Promise<void> | undefined;
  const redeliver = async () => {
    const at = draw.int(acknowledged.length);
    const again = await send(server.client, SITE, acknowledged[at]!);
    // A broken or refused repeat says nothing; an answered one must say what the first one said.
    if (again?.status !== 202) return;
    outcome.redelivered++;
    if (again.text !== JSON.stringify(answers[at])) outcome.changed++;
  };
  const client = async () => {
    while (death === undefined) {
      if (acknowledged.length > 0 && draw.chance(REDELIVERED)) {
        await redeliver();
        continue;
      }
      const batch = makeBatch(life, next++, FINGERPRINTS, Date.now());
      const answer = await send(server.client, SITE, batch);
      if (answer?.status === 202) {
        acknowledged.push(batch);
        answers.push(answer.json<IngestAnswer>());
      } else broken.push(batch);
      if (acknowledged.length >= dieAfter) death ??= server.kill();
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  await death;
  return { acknowledged, broken };
}
