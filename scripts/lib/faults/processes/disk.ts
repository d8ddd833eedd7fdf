/** The part of the `disk` run that is in a mount namespace: prints its figures as JSON. */
import { spawnSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { summaryOf } from "../../../../test/support/client.ts";
import { Failure } from "../../failure.ts";
import { atLeast, balanced, exactly, type Figure, shown } from "../fault.ts";
import { type Batch, compare, completed, counted, globOf, makeBatch, rowsOf, send } from "../ledger.ts";
import { FaultServer } from "../server.ts";
import { Workshop } from "../workshop.ts";

const SITE = "shop";
const DISK = "24m";
const CLIENTS = 4;
const FINGERPRINTS = 50;
/** Left over when the disk is filled: less than a few groups of batches. */
const LEFT_BYTES = 64 * 1024;

const { quick } = JSON.parse(process.argv[2] ?? "") as { quick: boolean };
const BEFORE = quick ? 20 : 200;
const REFUSALS = quick ? 20 : 200;

async function run(): Promise<Figure[]> {
  const workshop = new Workshop();
  const dir = workshop.folder();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", dir], {
    encoding: "utf8",
  });
  if (mounted.status !== 0) throw new Failure(`tmpfs: ${mounted.stderr}`);
  const server = await FaultServer.open({ root: await workshop.bundle(), disk: dir });
  const { pid } = server;
  try {
    const before = await upload(server, 0, ({ acknowledged }) => acknowledged.length >= BEFORE);
    const ballast = join(dir, "ballast");
    const { bavail, bsize } = statfsSync(dir);
    writeFileSync(ballast, Buffer.alloc(bavail * bsize - LEFT_BYTES));
    const full = await upload(server, 1, ({ refused }) => refused.length >= REFUSALS);
    const health = await server.client.get("/healthz");
    rmSync(ballast);
    const fromMs = performance.now();
    await completed(server.client, SITE, full.refused[0]!);
    const backMs = performance.now() - fromMs;
    for (const batch of full.refused) await completed(server.client, SITE, batch);
    const restarts = server.pid === pid && (await server.client.get("/healthz")).status === 200 ? 0 : 1;

    // What is there after a kill is on disk, and not only in memory.
    await server.kill();
    await server.start();
    const wrong = { lost: new Set<string>(), doubled: new Set<string>() };
    compare(before.acknowledged, await counted(server.client, SITE, globOf(0)), wrong);
    const during = [...full.acknowledged, ...full.refused];
    compare(during, await counted(server.client, SITE, globOf(1)), wrong);
    const sent = [...before.acknowledged, ...before.refused, ...during].reduce(
      (sum, one) => sum + rowsOf(one),
      0,
    );
    const summary = await summaryOf(server.client, SITE);
    return [
      atLeast("uploads refused while full", full.refused.length, REFUSALS),
      exactly("of those neither 500 nor 503", full.otherwise, 0),
      shown("uploads acknowledged while it filled", full.acknowledged.length),
      exactly("/healthz while full", health.status, 200),
      exactly("acknowledged batches lost", wrong.lost.size, 0),
      exactly("batches counted twice", wrong.doubled.size, 0),
      exactly("restarts needed", restarts, 0),
      shown("room again to first ack", `${Math.round(backMs)} ms`),
      balanced("observations", ["sent", sent], ["in the 1h windows", summary.windows["1h"].reqs]),
    ];
  } finally {
    await server.kill();
    spawnSync("umount", [dir]);
    workshop.close();
  }
}

interface Uploaded {
  readonly acknowledged: Batch[];
  readonly refused: Batch[];
  /** Answers that were neither 202 nor 500 nor 503. */
  otherwise: number;
}

/** Sends batches of a life until `done`. */
async function upload(
  server: FaultServer,
  life: number,
  done: (soFar: Uploaded) => boolean,
): Promise<Uploaded> {
  const soFar: Uploaded = { acknowledged: [], refused: [], otherwise: 0 };
  let next = 0;
  const client = async () => {
    while (!done(soFar)) {
      const batch = makeBatch(life, next++, FINGERPRINTS, Date.now());
      const status = (await send(server.client, SITE, batch))?.status;
      if (status === 202) soFar.acknowledged.push(batch);
      else soFar.refused.push(batch);
      if (status !== 202 && status !== 500 && status !== 503) soFar.otherwise++;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return soFar;
}

process.stdout.write(JSON.stringify(await run()), () => process.exit(0));
