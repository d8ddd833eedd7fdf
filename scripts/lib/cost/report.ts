/** The page that `npm run cost` writes. */
import type { Bill } from "../../../bench/processes/bill.ts";
import type { Case } from "./cases.ts";
import {
  dollars,
  FREE_A_DAY,
  naive,
  PRICES,
  passed,
  type Quantities,
  quantities,
  scaled,
  totalOf,
} from "./prices.ts";

export interface Counted extends Case {
  readonly bill: Bill;
}

const DAY_SECONDS = 86_400;

const money = (amount: number) => `$${amount < 0.1 ? amount.toFixed(4) : amount.toFixed(2)}`;
const count = (number: number) => Math.round(number).toLocaleString("en-US");

/** Of a million observations. */
function aMillion({ bill }: Counted): Quantities {
  return scaled(quantities(bill), 1e6 / bill.observations);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function paidRow(one: Counted): string[] {
  const { input, target, bill } = one;
  const of = aMillion(one);
  const price = dollars(of);
  const total = totalOf(price);
  return [
    ...[count(input.requestsPerSecond), `${input.shards}`, count(input.isolates), count(of.requests)],
    ...[count(of.rowsWritten), count(of.gigabyteSeconds), count(bill.bytes / bill.observations)],
    ...[money(price.requests), money(price.rowsWritten), money(price.gigabyteSeconds)],
    `**${money(total)}**`,
    ...(target === undefined ? ["–"] : [`${money(target)}: ${total <= target ? "kept" : "**missed**"}`]),
  ];
}

function freeRow({ input, bill }: Counted): string[] {
  const aDay = scaled(quantities(bill), DAY_SECONDS / input.seconds);
  const over = passed(aDay);
  return [
    ...[`${input.isolates}`, count(aDay.requests), count(aDay.rowsWritten), count(aDay.gigabyteSeconds)],
    ...[count(aDay.rowsRead), over.length === 0 ? "yes" : `no: ${over.join(", ")}`],
  ];
}

function naiveRow(perSecond: number): string[] {
  const price = dollars(naive(perSecond, Math.max(1, Math.ceil(perSecond / 500))));
  const total = money(totalOf(price));
  return [
    count(perSecond),
    money(price.requests),
    money(price.rowsWritten),
    money(price.gigabyteSeconds),
    total,
  ];
}

/** Markdown; also what goes to the terminal. */
export function report(all: readonly Counted[]): string {
  const group = (name: Case["group"]) => all.filter((one) => one.group === name);
  const head = [
    ...[
      "requests/s",
      "shards",
      "isolates",
      "calls and alarms",
      "rows written",
      "GB-s",
      "bytes an observation",
    ],
    ...["calls", "rows", "duration", "a million observations", "target"],
  ];
  const busiest = group("busy").at(-1);
  return `# Cost

Made by \`npm run cost\`. What HelloTide adds to a bill beyond the visitor's own Worker invocation: the real edge batcher and the real
objects on the [simulator's platform](simulator.md), in virtual time and from a seed, so that every run counts the same. Times the list
prices of [Durable Objects](${PRICES.source}) as read on ${PRICES.readOn}: $0.15 a million requests (calls and alarms), $12.50 a million
GB-s, $1 a million rows written, $0.001 a million rows read. What a plan includes is not taken off.

Where the platform's rule leaves room, the dearer reading is taken: an object counts as awake for 10 s after anything that it did, and
every alarm that is set as one that rings. Not in it: storage (some tens of MB, below the 5 GB that are included), the observer's CPU in
the visitor's invocation ([some microseconds](performance.md#the-observers-own-work)), Workers requests.

## At 1,000 requests/s, by how many isolates Cloudflare spreads them over

${table(head, group("paid").map(paidRow))}

Every isolate calls every shard that it has rows for, once in \`FLUSH\` (10 s, up to 20 s when shards ask for it). So the calls grow with the
isolates, and shards buy CPU and memory, not calls. An isolate that sees a visitor in five seconds has no more than five to tell when its 20 s
are over: that is the floor of the price, whatever is sent.

## Slower and faster

${table(head, group("busy").map(paidRow))}

${busiest === undefined ? "" : tenMillion(busiest)}

## The Free plan

\`SHARDS=1 TICK=60s FLUSH=20s\`, 10 requests/s, a day against the plan's quotas for objects: ${count(FREE_A_DAY.requests)} requests,
${count(FREE_A_DAY.rowsWritten)} rows written, ${count(FREE_A_DAY.gigabyteSeconds)} GB-s, ${count(FREE_A_DAY.rowsRead)} rows read.

${table(["isolates", "requests", "rows written", "GB-s", "rows read", "kept"], group("free").map(freeRow))}

The visitors' own invocations are another matter: the Free plan has 100,000 a day, which is 1.2 requests/s; 10 requests/s are 864,000.

## Beside the naive design

A call a request and a row each, deleted after its hour, an object for each 500 requests/s, a million observations:

${table(["requests/s", "calls", "rows", "duration", "together"], [10, 1_000, 100_000].map(naiveRow))}
`;
}

/** Extrapolated, and said to be. */
function tenMillion(busiest: Counted): string {
  const price = totalOf(dollars(aMillion(busiest)));
  const { requestsPerSecond, isolates, shards } = busiest.input;
  const times = 1e7 / requestsPerSecond;
  return `**10,000,000 requests/s is an extrapolation**, not counted: with as many requests an isolate (${count(isolates * times)} isolates) and as
many a shard (${count(shards * times)} shards, which are more than the ${64} that a site may have; so several sites, or a tier of objects that merge
frames) a million observations cost what they cost at ${count(requestsPerSecond)}/s, ${money(price)}; that is ${money(price * 10 * 3_600)} an hour.`;
}
