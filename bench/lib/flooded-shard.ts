/** What a shard says after the flood, against what was sent. */
import type { Sample } from "../../scripts/lib/bench/benchmark.ts";
import { Failure } from "../../scripts/lib/failure.ts";
import type { ListedRow, ListQuery } from "../../src/reading/list.ts";
import type { ShardSummary } from "../../src/reading/summary.ts";
import { ja4Of } from "./made-traffic.ts";
import { WINDOW_PARTS } from "./window-parts.ts";

export const FLOOD_PARTS = [...WINDOW_PARTS, "overflow"];
/** Rows of the list that are asked for at once. */
const PAGE = 20_000;

/** The shard behind bench/workers/flood.ts. */
export class FloodedShard {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  async summary(): Promise<ShardSummary> {
    return await this.#ask<ShardSummary>("/summary", "");
  }

  /** `reqs`: requests of each real fingerprint; `flood`: fingerprints that came once besides. Recall is in percent. */
  async read(reqs: readonly number[], flood: number): Promise<Sample> {
    const rows = await this.#list();
    const { memory, pressure, sinceStart, windows } = await this.summary();
    const fingerprints = flood + reqs.filter((count) => count > 0).length;
    return {
      ...{ recall_100: recall(rows, reqs, 100), recall_1000: recall(rows, reqs, 1_000) },
      listed: rows.reduce((sum, { row }) => sum + row.reqs, 0),
      ...{ accepted: sinceStart.accepted, late: sinceStart.late, overflow: sinceStart.overflow },
      hour: windows["1h"].reqs,
      known_percent: (100 * windows["1h"].fingerprints) / fingerprints,
      ...pressure,
      memory_bytes: Object.values(memory).reduce((sum, bytes) => sum + bytes, 0),
      ...Object.fromEntries(FLOOD_PARTS.map((part) => [`memory_${part}`, memory[part]!])),
    };
  }

  /** All of the list, most requests first. */
  async #list(): Promise<ListedRow[]> {
    const all: ListedRow[] = [];
    for (;;) {
      const last = all.at(-1);
      const rows = await this.#page(
        last === undefined ? undefined : { value: last.value, ja4: last.row.ja4 },
      );
      all.push(...rows.slice(0, PAGE));
      if (rows.length <= PAGE) return all;
    }
  }

  async #page(after: ListQuery["after"]): Promise<ListedRow[]> {
    const sorted = { sort: "reqs", order: "desc", window: "1h" } as const;
    const query: ListQuery = { ...sorted, ja4: undefined, limit: PAGE, after };
    return (await this.#ask<{ rows: ListedRow[] }>("/list", JSON.stringify(query))).rows;
  }

  async #ask<T>(path: string, body: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, { method: "POST", body });
    if (!response.ok) throw new Failure(`${path}: ${response.status}`);
    return (await response.json()) as T;
  }
}

/** Share of the first `count` rows that belong there, in percent; of equals at its end any may. */
function recall(rows: readonly ListedRow[], reqs: readonly number[], count: number): number {
  const last = reqs.toSorted((a, b) => b - a)[Math.min(count, reqs.length) - 1]!;
  const truth = new Map(reqs.map((own, fp) => [ja4Of(fp), own]));
  const right = rows.slice(0, count).filter(({ row }) => (truth.get(row.ja4) ?? 1) >= last);
  return (100 * right.length) / count;
}
