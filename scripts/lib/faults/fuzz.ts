/**
 * Malformed payloads on every input of a running engine, many at once: none may be answered with a 5xx, break a connection,
 * leave an uncaught error in the log, or cost memory for good. `FUZZ_CASES` and `FUZZ_SEED` make other and longer runs,
 * `FUZZ_FROM` begins at a case's number, to see it again.
 */
import { Agent, request } from "node:http";
import { Draw } from "../../../src/simulate/random.ts";
import type { Schema } from "../../../test/support/json-schema.ts";
import { atLeast, exactly, type Fault, type FaultContext, type Figure, shown, under } from "./fault.ts";
import { ITEM_IDS, type Payload, Payloads } from "./payloads.ts";
import { FaultServer } from "./server.ts";
import { type Replacement, Workshop } from "./workshop.ts";

const FRAMED = new URL("../../../test/workerd/aux/framed.ts", import.meta.url);
const CASES = 1_000_000;
const KEEP_EVERY = 200;
const CASES_QUICK = 8_000;
const SEED = 20_261_123;
/** Many, since a shard lets calls wait for each other before it writes them together. */
const IN_FLIGHT = 256;
/** Memory is compared from here on: before, the engine is still filling its caches and the site its tables. */
const WARM_SHARE = 0.2;
/**
 * An isolate at Cloudflare has 128 MB; without a bound the engine's heap takes what the machine has, and growth that is no leak
 * could not be told from one. https://developers.cloudflare.com/workers/platform/limits/#memory
 */
const HEAP_MB = 128;
const V8_FLAGS = [`--max-old-space-size=${HEAP_MB}`];
/**
 * What an engine may hold more at the end than after the warm-up, MB: its heap, which is not collected before it is full. Over the
 * same million payloads it grew by 100 MB with a heap of 128 MB and by 40 MB with one of 64 MB.
 */
const GROWTH_MAX_MB = HEAP_MB;
const TIMEOUT_MS = 30_000;
const SHOWN_FAULTS = 5;
const SHOWN_LOG = 2_000;
const UNCAUGHT = /uncaught|unhandled|request_failed|fatal|segfault|assert/i;
/** A bug for the control: a body that is `null` breaks the handler. */
const PLANTED: Replacement = {
  file: "src/api/validate.ts",
  from: 'if (typeof value !== "object" || value === null) return value;',
  to: 'if (typeof value !== "object") return value;',
};

function fuzzFault(name: string, about: string, replacements: readonly Replacement[]): Fault {
  return {
    name,
    about,
    run: async (context) => {
      const workshop = new Workshop();
      const server = await FaultServer.open({
        root: await workshop.bundle({ entry: FRAMED, replacements, v8Flags: V8_FLAGS }),
        ...{ disk: workshop.folder(), shards: 2 },
      });
      try {
        return await run(server, context);
      } finally {
        await server.kill();
        workshop.close();
      }
    },
  };
}

export const fuzz = fuzzFault(
  "fuzz",
  "a million malformed payloads over all inputs: no 5xx, memory flat",
  [],
);
export const fuzzPlanted = fuzzFault("fuzz-planted", "the same with a planted 500, which must be found", [
  PLANTED,
]);

interface Book {
  payloads: number;
  /** Answers by status; 0 = the connection broke. */
  readonly statuses: Map<number, number>;
  /** Targets by whether something got past the router: an answer other than 404 and 405. */
  readonly reached: Set<string>;
  readonly faults: string[];
}

/** Payloads delete what others have written: there is always one of each kind again. */
async function keepItems({ client }: FaultServer, document: Schema): Promise<void> {
  const paths = document.paths as Record<
    string,
    { put: { requestBody: { content: Record<string, Schema> } } }
  >;
  for (const kind of ["thresholds", "silences"]) {
    const example =
      paths[`/v1/sites/{site}/${kind}/{id}`]?.put.requestBody.content["application/json"]?.example;
    await client.put(`/v1/sites/shop/${kind}/${ITEM_IDS[0]}`, { json: example });
  }
}

async function run(server: FaultServer, { quick, log }: FaultContext): Promise<Figure[]> {
  const seed = Number(process.env.FUZZ_SEED ?? SEED);
  const cases = quick ? CASES_QUICK : Number(process.env.FUZZ_CASES ?? CASES);
  const document = (await server.client.get("/openapi.json")).json<Schema>();
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  const book: Book = { payloads: 0, statuses: new Map(), reached: new Set(), faults: [] };
  const tokens = (await server.client.get("/v1/tokens")).json<{ items: { id: string }[] }>();
  const tokenIds = tokens.items.map(({ id }) => id);
  let payloads = new Payloads(document, seed, Date.now(), tokenIds);
  let warm: Warm | undefined;
  let next = Number(process.env.FUZZ_FROM ?? 0);
  const fromMs = performance.now();
  const sender = async () => {
    while (book.payloads < cases) {
      const number = next++;
      const payload = payloads.next(new Draw("fuzz", seed, number));
      book.payloads += payload.count;
      if (number % KEEP_EVERY === 0) await keepItems(server, document);
      const sentMs = performance.now();
      const answered = await exchange(server, agent, payload);
      note(book, payload, number, answered, performance.now() - sentMs);
      if (number % 20_000 === 19_999) {
        log(`${book.payloads} payloads, ${server.rssMb()?.toFixed(0)} MB`);
        // Times in them must stay within the hour.
        payloads = new Payloads(document, seed, Date.now(), tokenIds);
      }
      if (warm === undefined && book.payloads >= cases * WARM_SHARE) {
        warm = { mb: server.rssMb(), windows: NO_WINDOWS };
        warm.windows = await windowsOf(server);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: IN_FLIGHT }, sender));
  } catch (error) {
    // An engine that is gone tells why at the end of what it wrote.
    log(`the engine wrote: ${server.log.slice(-SHOWN_LOG)}`);
    throw error;
  }
  const seconds = (performance.now() - fromMs) / 1_000;
  agent.destroy();
  const alive = await server.client.get("/healthz");
  const endMb = server.rssMb();
  const end = await windowsOf(server);
  const grown =
    warm?.mb === undefined || endMb === undefined ? undefined : endMb - warm.mb - (end.mb - warm.windows.mb);
  const wrong = [...book.statuses].filter(([status]) => status === 0 || status >= 500);
  for (const fault of book.faults) log(fault);
  const unreached = payloads.operations.filter((id) => !book.reached.has(id));
  return [
    atLeast("payloads", book.payloads, cases),
    shown("seed", seed),
    shown("payloads a second", Math.round(book.payloads / seconds)),
    shown(
      "answers by status",
      [...book.statuses]
        .sort(([a], [b]) => a - b)
        .map(([status, count]) => `${status}: ${count}`)
        .join(", "),
    ),
    exactly(
      "answers of 5xx and broken connections",
      wrong.reduce((sum, [, count]) => sum + count, 0),
      0,
    ),
    exactly(
      "lines of uncaught errors in the log",
      server.log.split("\n").filter((line) => UNCAUGHT.test(line)).length,
      0,
    ),
    exactly(
      `operations that only answered 404 or 405${unreached.length === 0 ? "" : ` (${unreached.join(", ")})`}`,
      unreached.length,
      0,
    ),
    exactly("the engine's answer to GET /healthz afterwards", alive.status, 200),
    // A short run is over before the engine's heap has its size.
    ...(quick || grown === undefined || warm === undefined || endMb === undefined
      ? []
      : [
          shown("memory at the end", `${endMb.toFixed(0)} MB`),
          shown("windows at the end", shownWindows(end)),
          shown("windows after the warm-up", shownWindows(warm.windows)),
          under("growth since the warm-up beside the windows'", grown, GROWTH_MAX_MB, "MB"),
        ]),
  ];
}

/** What the shards hold for the site's last hour. It fills all through the run with the fingerprints that payloads make up. */
interface Windows {
  readonly fingerprints: number;
  readonly mb: number;
}
const NO_WINDOWS: Windows = { fingerprints: 0, mb: 0 };

interface Warm {
  readonly mb: number | undefined;
  windows: Windows;
}

function shownWindows({ fingerprints, mb }: Windows): string {
  return `${fingerprints} fingerprints in ${mb.toFixed(1)} MB`;
}

async function windowsOf({ client }: FaultServer): Promise<Windows> {
  const { shards } = (await client.get("/v1/sites/shop/summary")).json<{
    shards: { fingerprints: number; bytes: number }[];
  }>();
  const sum = (of: "fingerprints" | "bytes") => shards.reduce((total, shard) => total + shard[of], 0);
  return { fingerprints: sum("fingerprints"), mb: sum("bytes") / 1e6 };
}

function note(
  book: Book,
  { target, method, path, body }: Payload,
  number: number,
  { status, text }: Answered,
  ms: number,
): void {
  book.statuses.set(status, (book.statuses.get(status) ?? 0) + 1);
  if (status !== 404 && status !== 405) book.reached.add(target);
  if ((status !== 0 && status < 500) || book.faults.length >= SHOWN_FAULTS) return;
  const shownBody = Buffer.from(body.subarray(0, 200)).toString("latin1");
  book.faults.push(
    `case ${number}: ${method} ${path.slice(0, 200)} ${JSON.stringify(shownBody)} → ${status} after ${ms.toFixed(0)} ms: ${text}`,
  );
}

interface Answered {
  readonly status: number;
  readonly text: string;
}

/** Sends a payload; what never ends (the feed) is left as soon as it has begun. Status 0: no answer came. */
function exchange(server: FaultServer, agent: Agent, payload: Payload): Promise<Answered> {
  const { method, path, headers, body } = payload;
  return new Promise((resolve) => {
    const outgoing = request(`${server.url}/`, {
      ...{ method, path, agent, timeout: TIMEOUT_MS },
      headers: {
        authorization: `Bearer ${server.token}`,
        ...headers,
        ...(body.length > 0 || method !== "GET" ? { "content-length": `${body.length}` } : {}),
      },
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in time")));
    outgoing.on("error", (error) => resolve({ status: 0, text: error.message }));
    outgoing.on("upgrade", (incoming, socket) => {
      socket.destroy();
      resolve({ status: incoming.statusCode ?? 0, text: "" });
    });
    outgoing.on("response", (incoming) => {
      const status = incoming.statusCode ?? 0;
      let text = "";
      if ((incoming.headers["content-type"] ?? "").startsWith("text/event-stream")) {
        resolve({ status, text });
        incoming.destroy();
        return;
      }
      if (status >= 500) incoming.setEncoding("utf8").on("data", (part: string) => (text += part));
      else incoming.resume();
      incoming.on("error", (error) => resolve({ status: 0, text: error.message }));
      incoming.on("end", () => resolve({ status, text }));
    });
    outgoing.end(body);
  });
}
