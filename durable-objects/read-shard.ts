/**
 * The questions that a shard answers from its window alone, as calls of the object: a base class, so that the object's own
 * file is about what it does and not about what it is asked.
 */
import { DurableObject } from "cloudflare:workers";
import type { ShardFamilies } from "../src/reading/families.ts";
import type { ListedRow, ListQuery } from "../src/reading/list.ts";
import type { ShardRelated } from "../src/reading/related.ts";
import type { ShardSummary } from "../src/reading/summary.ts";
import type { TimelineAnswer } from "../src/schemas/reading.ts";
import type { DryRun, SiteHistory } from "../src/thresholds/dry-run.ts";
import type { Threshold } from "../src/thresholds/rule.ts";
import type { Part } from "../src/window/families.ts";
import type { Env } from "./env.ts";
import type { Reader } from "./reader.ts";

export abstract class ReadShard extends DurableObject<Env> {
  /** The reader, its window at the present time. A member of the instance, which no call from outside can reach. */
  protected abstract readonly reader: () => Reader;

  list(query: ListQuery): { asOfMs: number; rows: ListedRow[] } {
    return this.reader().list(query);
  }

  timeline(ja4: string): TimelineAnswer | undefined {
    return this.reader().timeline(ja4);
  }

  related(ja4: string): ShardRelated {
    return this.reader().related(ja4);
  }

  families(part: Part): ShardFamilies {
    return this.reader().families(part);
  }

  summary(): ShardSummary {
    return this.reader().summary();
  }

  dryRun(threshold: Threshold): DryRun {
    return this.reader().dryRun(threshold);
  }

  siteHistory(): SiteHistory {
    return this.reader().siteHistory();
  }
}
