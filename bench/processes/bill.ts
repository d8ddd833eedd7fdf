/**
 * What a site's objects do that is billed, counted on the simulator's platform (test/simulator): the real objects and the real
 * edge in virtual time, so that minutes of traffic from hundreds of isolates take a minute of one core. Nothing fails here.
 * Prints a Bill.
 */
import { SECOND_MS } from "../../src/config.ts";
import { Draw } from "../../src/simulate/random.ts";
import { bundle, load } from "../../test/simulator/bundle.ts";
import { Faults } from "../../test/simulator/faults.ts";
import { Isolate } from "../../test/simulator/isolate.ts";
import { Context, Kernel } from "../../test/simulator/kernel.ts";
import { Network } from "../../test/simulator/network.ts";
import { install } from "../../test/simulator/shims.ts";

export interface BillInput {
  readonly shards: number;
  readonly isolates: number;
  readonly requestsPerSecond: number;
  /** Lived before anything is counted, s: objects are made, isolates find their pace. */
  readonly warmSeconds: number;
  /** Counted, s. */
  readonly seconds: number;
  readonly fingerprints: number;
  /** Further settings of the Worker, such as `{"TICK": "60s"}`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Counts over the seconds that are counted. */
export interface Bill {
  readonly [metric: string]: number;
  readonly observations: number;
  /** Over the whole run: what was made, and what the shards say that they counted. */
  readonly made: number;
  readonly accepted: number;
  /** Rows that SQL wrote, rows that it answered, and alarms set (each billed as a row and, when it rings, as a request). */
  readonly rows: number;
  readonly rowsRead: number;
  readonly alarms: number;
  /** Calls of objects, from isolates and from other objects. */
  readonly edgeCalls: number;
  readonly objectCalls: number;
  /** Of frames in calls to shards. */
  readonly bytes: number;
  /** Over all objects, s: an object counts as awake for 10 s after anything it did, which is more than the platform bills. */
  readonly awakeSeconds: number;
  readonly billed_per_million: number;
}

const SITE = "shop";
const ISOLATE = "isolate ";
/** The platform keeps an object in memory for so long after its last event; idle and able to hibernate, it is not billed. */
const IDLE_MS = 10 * SECOND_MS;
const SEED = 1;
/** What isolates hold and lanes carry is on its way no longer. */
const DRAIN_SECONDS = 30;

const input = JSON.parse(process.argv[2] ?? "") as BillInput;
const { product, edge } = load(await bundle([], []));
const kernel = new Kernel(SEED, Date.UTC(2026, 10, 23, 12));
install(kernel, () => undefined);
const network = new Network(
  kernel,
  calm(),
  {
    SHARDS_NS: product.FingerprintShard,
    CENSUS_NS: product.Census,
    FEED_NS: product.AnomalyFeed,
    SETTINGS_NS: product.Settings,
  },
  {
    SITES: { [SITE]: ["www.shop.example"] },
    SHARDS: String(input.shards),
    HASH_KEY: "simulator-0123456789",
    ...input.settings,
  },
  { called, answerLeft: () => undefined, answerArrived: () => undefined },
);
const draw = new Draw("rows", SEED);
let made = 0;
let edgeCalls = 0;
let objectCalls = 0;
let bytes = 0;
/** By object: from when and until when it is awake. */
const awake = new Map<string, { fromMs: number; untilMs: number }>();
let endedMs = 0;
const ja4s = Array.from({ length: input.fingerprints }, () => `t13d1516h2_${draw.hex(12)}_${draw.hex(12)}`);
const visitors = { site: SITE, ja4s, nextAsn: () => ++made };
const isolates = Array.from(
  { length: input.isolates },
  (_, i) => new Isolate(`${ISOLATE}${i}`, kernel, network.env, edge(), visitors, 0),
);
const fromMs = kernel.nowMs + input.warmSeconds * SECOND_MS;
const endMs = fromMs + input.seconds * SECOND_MS;
kernel.afterTurn = ({ name }) => {
  if (!name.startsWith(ISOLATE)) stayAwake(name);
};
for (const isolate of isolates) comeAndGo(isolate);
await kernel.run(fromMs);
const before = counts();
await kernel.run(endMs);
const after = counts();
await kernel.run(endMs + DRAIN_SECONDS * SECOND_MS);

const counted = Object.fromEntries(
  Object.entries(after).map(([name, count]) => [name, count - before[name as keyof typeof before]]),
) as ReturnType<typeof counts>;
const result: Bill = {
  ...counted,
  made,
  accepted: await acceptedInAll(),
  billed_per_million: ((counted.rows + counted.alarms) * 1_000_000) / counted.observations,
};
process.stdout.write(JSON.stringify(result));
process.exit(0);

function counts() {
  const sum = (of: (actor: (typeof network.actors)[number]) => number) =>
    network.actors.reduce((total, actor) => total + of(actor), 0);
  let awakeMs = endedMs;
  for (const stretch of awake.values()) awakeMs += Math.min(stretch.untilMs, kernel.nowMs) - stretch.fromMs;
  return {
    observations: made,
    rows: sum(({ disk }) => disk.rowsWritten),
    rowsRead: sum(({ disk }) => disk.rowsRead),
    alarms: sum(({ disk }) => disk.alarmsSet),
    edgeCalls,
    objectCalls,
    bytes,
    awakeSeconds: awakeMs / SECOND_MS,
  };
}

function called(caller: Context, _actor: unknown, method: string, parameters: unknown[]): void {
  if (caller.name.startsWith(ISOLATE)) edgeCalls++;
  else objectCalls++;
  if (method !== "ingest") return;
  for (const payload of parameters[0] as Uint8Array[]) bytes += payload.length;
}

function stayAwake(name: string): void {
  const untilMs = kernel.nowMs + IDLE_MS;
  const stretch = awake.get(name);
  if (stretch !== undefined && kernel.nowMs <= stretch.untilMs) {
    stretch.untilMs = untilMs;
    return;
  }
  if (stretch !== undefined) endedMs += stretch.untilMs - stretch.fromMs;
  awake.set(name, { fromMs: kernel.nowMs, untilMs });
}

/** Faults that never strike, evictions included. */
function calm(): Faults {
  for (let seed = 1; ; seed++) {
    const faults = new Faults(seed);
    faults.isOn = false;
    if (faults.rates.evict === 0) return faults;
  }
}

/** Visitors of an isolate, one after the other, by a Poisson process. */
function comeAndGo(isolate: Isolate): void {
  const meanMs = (SECOND_MS * input.isolates) / input.requestsPerSecond;
  kernel.later(-Math.log(1 - draw.uniform()) * meanMs, "visitor", () => {
    if (kernel.nowMs >= endMs) return;
    isolate.visit(draw);
    comeAndGo(isolate);
  });
}

/** What the shards say that they counted. */
async function acceptedInAll(): Promise<number> {
  const options = product.parseOptions(network.env);
  const site = product.objectsOf(network.env, options, { maps: new Map(), hash: undefined }).site(SITE);
  let accepted = 0;
  kernel.after(0, new Context("inspector"), "asks", () => {
    void site.map().then((map) => {
      for (let shard = 0; shard < map.shards; shard++)
        void site
          .shard(map, shard)
          .summary()
          .then(({ sinceStart }) => {
            accepted += sinceStart.accepted ?? 0;
          });
    });
  });
  await kernel.run(kernel.nowMs + SECOND_MS);
  return accepted;
}
