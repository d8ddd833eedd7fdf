/**
 * SIGKILL with a full hour of state: how long until a shard that must read all of it back acknowledges again, on one shard
 * that has everything and on four that share it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { Draw } from "../../../src/simulate/random.ts";
import { type Client, encodeBody, ja4Of, observationsPath, summaryOf } from "../../../test/support/client.ts";
import { balanced, type Fault, type FaultContext, type Figure, quantile, shown, under } from "./fault.ts";
import { restartFigures } from "./kill.ts";
import { completed, makeBatch, rowsOf } from "./ledger.ts";
import { FaultServer } from "./server.ts";
import { Workshop } from "./workshop.ts";

const SITE = "shop";
const FINGERPRINTS = 10_000;
const BODY_RECORDS = 50_000;
/** Not the whole hour: the run itself takes minutes, in which nothing of it may expire. */
const SPAN_MS = 45 * 60_000;
const SEED = 11;
/** Of the batch that is waited for, so that every shard must answer. */
const FIRST_FINGERPRINTS = 40;
const LIFE_MS = 250;
/** A minute and some ticks: what a shard saves once a minute is saved, as it is on a shard that has run for long. */
const SETTLE_MS = 75_000;
const RESTART_MAX_MS = 1_000;

export const hour: Fault = {
  name: "hour",
  about: "SIGKILL with a million observations of 10,000 fingerprints in the hour",
  run: async (context) => [...(await run(1, context)), ...(await run(4, context))],
};

async function run(shards: number, { quick, log }: FaultContext): Promise<Figure[]> {
  const bodies = quick ? 1 : 20;
  const kills = quick ? 2 : 50;
  const workshop = new Workshop();
  const server = await FaultServer.open({
    ...{ root: await workshop.bundle(), disk: workshop.folder(), shards },
    settings: { TICK: "1s" },
  });
  try {
    let sent = 0;
    for (let n = 0; n < bodies; n++) {
      await upload(server.client, n);
      sent += BODY_RECORDS;
      if ((n + 1) % 5 === 0) log(`${shards} shards: ${sent} observations back-filled`);
    }
    const restart = async (life: number): Promise<number> => {
      await server.kill();
      const fromMs = performance.now();
      await server.start();
      const batch = makeBatch(life, 0, FIRST_FINGERPRINTS, Date.now());
      await completed(server.client, SITE, batch);
      sent += rowsOf(batch);
      return performance.now() - fromMs;
    };
    const atOnceMs = await restart(0);
    if (!quick) await sleep(SETTLE_MS);
    const restartsMs: number[] = [];
    for (let life = 1; life <= kills; life++) {
      restartsMs.push(await restart(life));
      // A server that lives for no time at all would be another test.
      await sleep(LIFE_MS);
      if (life % 20 === 0) log(`${shards} shards: ${life} kills`);
    }
    const summary = await summaryOf(server.client, SITE);
    const where = shards === 1 ? "1 shard" : `${shards} shards`;
    return [
      shown(`${where}: restart right after the back-fill`, `${Math.round(atOnceMs)} ms`),
      ...restartFigures(restartsMs, where),
      // Few kills and other programs beside them: a short run says nothing of the time.
      ...(quick
        ? []
        : [under(`${where}: p99 of ${kills}`, quantile(restartsMs, 0.99), RESTART_MAX_MS, "ms")]),
      balanced(`${where}: observations`, ["sent", sent], ["in the 1h windows", summary.windows["1h"].reqs]),
    ];
  } finally {
    await server.kill();
    workshop.close();
  }
}

/** Body `n`: visits over the whole span, busy fingerprints and rare ones, as a site has them. */
async function upload(client: Client, n: number): Promise<void> {
  const draw = new Draw("hour", SEED, n);
  const nowMs = Date.now();
  const records = Array.from({ length: BODY_RECORDS }, () => {
    const fingerprint = Math.floor(FINGERPRINTS * draw.uniform() ** 3);
    return {
      timestamp: nowMs - draw.int(SPAN_MS),
      ja4: ja4Of(fingerprint),
      client_ip: `10.${fingerprint % 256}.${draw.int(16)}.${draw.int(64)}`,
      path: `/p/${draw.int(300)}`,
      user_agent: `Mozilla/5.0 (X11; Linux x86_64; rv:${fingerprint % 40}.0) Gecko/20100101 Firefox/${fingerprint % 40}.0`,
      status: draw.chance(0.95) ? 200 : 404,
    };
  });
  const answer = await client.post(observationsPath(SITE), {
    headers: { "content-type": "application/x-ndjson", "content-encoding": "gzip" },
    body: Uint8Array.from(gzipSync(encodeBody(records, "ndjson"), { level: 1 })),
  });
  if (answer.status !== 202) throw new Error(`the back-fill was answered ${answer.status}: ${answer.text}`);
}
