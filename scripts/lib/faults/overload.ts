/**
 * One of two shards waits long for its disk while more comes than it may hold. What it cannot take is refused aloud: every
 * record that was sent is accepted, rejected, expired, or in a 503 that says how many of its records count; and the windows
 * hold exactly what the answers say.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Draw } from "../../../src/simulate/random.ts";
import {
  type Answer,
  type Client,
  encodeBody,
  type IngestAnswer,
  ja4Of,
  observationsPath,
  summaryOf,
} from "../../../test/support/client.ts";
import { atLeast, balanced, exactly, type Fault, type FaultContext, type Figure, shown } from "./fault.ts";
import { FAULTY, order, shardName } from "./faulty.ts";
import { FaultServer } from "./server.ts";
import { Workshop } from "./workshop.ts";

const SITE = "shop";
const SHARDS = 2;
const SLOW_SHARD = 0;
const SLOW_MS = 400;
const CLIENTS = 16;
const RECORDS = 1_500;
const FINGERPRINTS = 200;
/** Records of a body that are not accepted. */
const REJECTED = 7;
const EXPIRED = 5;
/** Shorter than `Retry-After` says, to keep the pressure up. */
const RETRY_MS = 100;
const SEED = 3;

export const overload: Fault = {
  name: "overload",
  about: "a shard with a slow disk and more than it may hold: refused aloud, counted exactly",
  run: async (context) => {
    const workshop = new Workshop();
    // With the product's limit a run would need gigabytes to reach it.
    const less = {
      file: "src/config.ts",
      from: "export const INGEST_HELD_MAX_BYTES = 16 * 1024 * 1024;",
      to: "export const INGEST_HELD_MAX_BYTES = 128 * 1024;",
    };
    const server = await FaultServer.open({
      root: await workshop.bundle({ entry: FAULTY, replacements: [less] }),
      ...{ disk: workshop.folder(), shards: SHARDS },
    });
    try {
      return await run(server, context);
    } finally {
      await server.kill();
      workshop.close();
    }
  },
};

/** Records, by what the answers said of them. */
interface Book {
  sent: number;
  accepted: number;
  rejected: number;
  expired: number;
  /** Of refused bodies without a key, which are not sent again. */
  counted: number;
  notCounted: number;
  refusals: number;
  /** Of all tries: rows that the answer says were not counted. */
  refusedRows: number;
  /** Refusals without `Retry-After`, or without `counted`. */
  silent: number;
  otherwise: number;
}

async function run(server: FaultServer, { quick, log }: FaultContext): Promise<Figure[]> {
  const { client } = server;
  const bodies = quick ? 36 : 300;
  const book: Book = {
    ...{ sent: 0, accepted: 0, rejected: 0, expired: 0, counted: 0, notCounted: 0 },
    ...{ refusals: 0, refusedRows: 0, silent: 0, otherwise: 0 },
  };
  await order(client, shardName(SITE, SLOW_SHARD), "slow_disk", SLOW_MS);
  let next = 0;
  const sender = async () => {
    for (let n = next++; n < bodies; n = next++) {
      await deliver(client, n, book);
      if ((n + 1) % 100 === 0) log(`${n + 1} bodies, ${book.refusals} refusals`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, sender));
  await order(client, shardName(SITE, SLOW_SHARD), "works");
  const refusalsUnderLoad = book.refusals;
  await deliver(client, bodies, book);

  const summary = await summaryOf(client, SITE);
  const inWindows = book.accepted + book.counted;
  return [
    atLeast("uploads refused", refusalsUnderLoad, 1),
    exactly("refusals without Retry-After, or that do not say what counted", book.silent, 0),
    exactly("answers that were neither 202 nor 503", book.otherwise, 0),
    exactly("refused once it was over", book.refusals - refusalsUnderLoad, 0),
    shown("accepted, rejected, expired", `${book.accepted}, ${book.rejected}, ${book.expired}`),
    shown("in refusals: counted, not counted", `${book.counted}, ${book.notCounted}`),
    balanced(
      "records",
      ["sent", book.sent],
      ["told of", book.accepted + book.rejected + book.expired + book.counted + book.notCounted],
    ),
    balanced(
      "observations",
      ["by the answers", inWindows],
      ["in the 1h windows", summary.windows["1h"].reqs],
    ),
    balanced(
      "observations",
      ["by the answers", inWindows],
      ["accepted since the start", summary.since_start.accepted ?? 0],
    ),
    balanced(
      "rows of all tries",
      ["not taken, by the refusals", book.refusedRows],
      ["shed, by the shards", summary.since_start.shed ?? 0],
    ),
  ];
}

/** Sends body `n`: every other one has a key and is repeated until it is taken. */
async function deliver(client: Client, n: number, book: Book): Promise<void> {
  const body = bodyOf(n);
  const key = n % 2 === 0 ? { "idempotency-key": `overload-${n}` } : {};
  book.sent += RECORDS;
  for (;;) {
    const answer = await client.post(observationsPath(SITE), {
      headers: { "content-type": "application/x-ndjson", ...key },
      body,
    });
    if (answer.status === 202) {
      const { accepted, rejected, expired } = answer.json<IngestAnswer>();
      book.accepted += accepted;
      book.rejected += rejected;
      book.expired += expired;
      return;
    }
    if (answer.status !== 503) book.otherwise++;
    refused(answer, n % 2 === 0, book);
    // Without a key a repeat would count again what counted already.
    if (n % 2 === 1) return;
    await sleep(RETRY_MS);
  }
}

function refused(answer: Answer, again: boolean, book: Book): void {
  book.refusals++;
  const { counted } = answer.json<{ counted?: number }>();
  if (!answer.headers.has("retry-after") || counted === undefined) book.silent++;
  book.refusedRows += RECORDS - REJECTED - EXPIRED - (counted ?? 0);
  if (again) return;
  book.counted += counted ?? 0;
  book.notCounted += RECORDS - (counted ?? 0);
}

function bodyOf(n: number): Uint8Array<ArrayBuffer> {
  const draw = new Draw("overload", SEED, n);
  const nowMs = Date.now() - 1_000;
  return encodeBody(
    Array.from({ length: RECORDS }, (_, i) => ({
      timestamp: i < REJECTED ? "never" : i < REJECTED + EXPIRED ? nowMs - 2 * 3_600_000 : nowMs,
      ja4: ja4Of(draw.int(FINGERPRINTS)),
      client_ip: `10.1.${draw.int(256)}.${draw.int(256)}`,
      path: `/${"part/".repeat(10)}${draw.int(10_000)}`,
    })),
    "ndjson",
  );
}
