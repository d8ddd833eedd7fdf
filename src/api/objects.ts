/** What the API needs of the four objects: the narrowest slice of each, and the shapes that cross the calls. */
import type { KeyedHash } from "../base/hash.ts";
import type { DetectionSettings } from "../detect/settings.ts";
import type { FeedFilter } from "../feed/filter.ts";
import type { ListedRow, ListQuery } from "../reading/list.ts";
import type { ShardSummary } from "../reading/summary.ts";
import type { FingerprintAnswer } from "../schemas/reading.ts";
import type { ThresholdInput, ThresholdOutput } from "../schemas/threshold.ts";
import type { Threshold } from "../thresholds/rule.ts";
import type { Silence } from "../thresholds/silences.ts";
import type { IngestResult } from "../wire/ingest.ts";

export interface ShardMap {
  epoch: number;
  shards: number;
}

export type ClaimResult =
  /** Go on; `firstMs` = time of the first try with this key. */
  | { state: "new"; firstMs: number }
  | { state: "done"; answer: string }
  | { state: "running" }
  | { state: "other_body" };

/** What the shards run of a site's settings. */
export interface ShardSettings {
  revision: number;
  shards: number;
  thresholds: Threshold[];
  silences: Silence[];
  detection: DetectionSettings;
}

export interface StoredThreshold {
  /** Revision of the site's settings at its last write: its ETag. */
  revision: number;
  body: ThresholdOutput;
}

export type PutResult =
  | { outcome: "created" | "replaced"; stored: StoredThreshold }
  | { outcome: "exists" | "changed" | "full" };
export type DeleteResult = "deleted" | "absent" | "changed";

/** Revisions of an `If-Match`; `any` = `*`. */
export type IfMatch = number[] | "any" | undefined;

/** How a checked subscription reaches the feed: as JSON in this header, which no client can send to it. */
export const SUBSCRIPTION_HEADER = "x-hellotide-subscription";
/** Names of the CloudEvents WebSocket binding; the first is the default. */
export const SUBPROTOCOLS = ["cloudevents.json", "cloudevents.msgpack"] as const;
export type Subprotocol = (typeof SUBPROTOCOLS)[number];
export interface Subscription {
  /** Sequence after which events are wanted; absent = live. */
  since?: number;
  filter: FeedFilter;
  protocol: Subprotocol;
}

export interface ShardObject {
  ingest(payloads: Uint8Array[], shards: number): Promise<IngestResult>;
  claim(key: string, bodyHash: Uint8Array): Promise<ClaimResult>;
  settle(key: string, answer: string | undefined): Promise<void>;
  noteDuplicate(count: number): Promise<void>;
  read(ja4s: string[]): Promise<{ found: FingerprintAnswer[]; missing: number[] }>;
  list(query: ListQuery): Promise<{ asOfMs: number; rows: ListedRow[] }>;
  summary(): Promise<ShardSummary>;
  activeThresholds(): Promise<Record<string, string[]>>;
}

export interface FeedObject {
  addTicket(digest: string, expiresMs: number): Promise<void>;
  useTicket(digest: string): Promise<boolean>;
  fetch(request: Request): Promise<Response>;
}

export interface SettingsObject {
  threshold(id: string): Promise<StoredThreshold | undefined>;
  thresholds(after: string, limit: number): Promise<StoredThreshold[]>;
  putThreshold(
    id: string,
    input: ThresholdInput,
    mode: "create" | "replace",
    ifMatch: IfMatch,
  ): Promise<PutResult>;
  deleteThreshold(id: string, ifMatch: IfMatch): Promise<DeleteResult>;
}

/** The objects of one site. */
export interface SiteObjects {
  map(): Promise<ShardMap>;
  shard(map: ShardMap, shard: number): ShardObject;
  feed(): FeedObject;
  settings(): SettingsObject;
}

export interface Objects {
  site(site: string): SiteObjects;
  /** The identity hash under the account's key. */
  hash(): Promise<KeyedHash>;
}
