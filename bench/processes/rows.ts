/**
 * Rows that a site's objects write, counted on the simulator's platform (test/simulator): the real objects and the real edge in
 * virtual time, so that minutes of traffic from hundreds of isolates take a minute of one core. Nothing fails here. Prints a
 * RowsResult.
 */
import { SECOND_MS } from "../../src/config.ts";
import { Draw } from "../../src/simulate/random.ts";
import { bundle, load } from "../../test/simulator/bundle.ts";
import { Faults } from "../../test/simulator/faults.ts";
import { Isolate } from "../../test/simulator/isolate.ts";
import { Context, Kernel } from "../../test/simulator/kernel.ts";
import { Network } from "../../test/simulator/network.ts";
import { install } from "../../test/simulator/shims.ts";

export interface RowsInput {
  readonly shards: number;
  readonly isolates: number;
  readonly requestsPerSecond: number;
  readonly seconds: number;
  readonly fingerprints: number;
}

/** Counts over the whole run; `alarms` are billed as a row each. */
export type RowsResult = Readonly<Record<string, number>>;

const SITE = "shop";
const SEED = 1;
/** What isolates hold and lanes carry is on its way no longer. */
const DRAIN_SECONDS = 30;

const input = JSON.parse(process.argv[2] ?? "") as RowsInput;
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
  },
  { called: () => undefined, answerLeft: () => undefined, answerArrived: () => undefined },
);
const draw = new Draw("rows", SEED);
let made = 0;
const ja4s = Array.from({ length: input.fingerprints }, () => `t13d1516h2_${draw.hex(12)}_${draw.hex(12)}`);
const visitors = { site: SITE, ja4s, nextAsn: () => ++made };
const isolates = Array.from(
  { length: input.isolates },
  (_, i) => new Isolate(`isolate ${i}`, kernel, network.env, edge(), visitors, 0),
);
const endMs = kernel.nowMs + input.seconds * SECOND_MS;
for (const isolate of isolates) comeAndGo(isolate);
await kernel.run(endMs);
await kernel.run(endMs + DRAIN_SECONDS * SECOND_MS);

const sum = (of: (actor: (typeof network.actors)[number]) => number) =>
  network.actors.reduce((total, actor) => total + of(actor), 0);
const rows = sum(({ disk }) => disk.rowsWritten);
const alarms = sum(({ disk }) => disk.alarmsSet);
const result: RowsResult = {
  observations: made,
  accepted: await acceptedInAll(),
  rows,
  alarms,
  billed_per_million: ((rows + alarms) * 1_000_000) / made,
};
process.stdout.write(JSON.stringify(result));
process.exit(0);

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
