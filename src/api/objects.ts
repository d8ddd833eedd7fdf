/** What the API needs of the four objects: the narrowest slice of each, and the shapes that cross the calls. */
import type { KeyedHash } from "../base/hash.ts";
import type { DetectionSettings } from "../detect/settings.ts";
import type { FeedFilter } from "../feed/filter.ts";
import type { Subprotocol } from "../feed/membership.ts";
import type { Proof } from "../feed/proof.ts";
import type { ShardFamilies } from "../reading/families.ts";
import type { FeaturePage, FeatureQuery } from "../reading/features.ts";
import type { ListedRow, ListQuery } from "../reading/list.ts";
import type { FeedCounts } from "../reading/metrics.ts";
import type { ShardRelated } from "../reading/related.ts";
import type { ShardSummary } from "../reading/summary.ts";
import type { Feedback } from "../schemas/anomalies.ts";
import type { DetectionInput } from "../schemas/detection.ts";
import type { FingerprintAnswer, TimelineAnswer } from "../schemas/reading.ts";
import type { SilenceInput } from "../schemas/silence.ts";
import type { ThresholdInput } from "../schemas/threshold.ts";
import type { Actor, AuditItem, TokenInput } from "../schemas/token.ts";
import type { WebhookInput } from "../schemas/webhook.ts";
import type { DryRun, SiteHistory } from "../thresholds/dry-run.ts";
import type { Threshold } from "../thresholds/rule.ts";
import type { Silence } from "../thresholds/silences.ts";
import type { FeedWebhook, SigningSecret } from "../webhooks/route.ts";
import type { Sent } from "../webhooks/send.ts";
import type { Part } from "../window/families.ts";
import type { IngestResult } from "../wire/ingest.ts";

/** What the feed runs of a site's settings. */
export interface FeedSettings {
  revision: number;
  storm: DetectionSettings["storm"];
  /** Absent in what earlier code pushed. */
  webhooks?: FeedWebhook[];
}

/** How a webhook is doing, as users see it. */
export interface WebhookStatus {
  pending: number;
  /** Messages given up. */
  failures: number;
  last_delivery_at?: string;
  last_status?: number;
  last_detail?: string;
  disabled_reason?: string;
}

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

/** What users write by id, kind by kind: the form that is stored, without what the server makes. */
export interface ItemInputs {
  thresholds: ThresholdInput;
  silences: SilenceInput;
  /** The settings object adds the secrets. */
  webhooks: WebhookInput & { secrets?: SigningSecret[] };
}
export type ItemKind = keyof ItemInputs;

/** What the server adds. */
export interface ItemStamp {
  id: string;
  created_at: string;
  updated_at: string;
}
export type ItemOutput<K extends ItemKind> = ItemInputs[K] & ItemStamp;

export interface StoredItem<K extends ItemKind> {
  /** Revision of the site's settings at its last write: its ETag. */
  revision: number;
  body: ItemOutput<K>;
}

export type PutResult<K extends ItemKind> =
  | { outcome: "created" | "replaced"; stored: StoredItem<K> }
  | { outcome: "exists" | "changed" | "full" };

/** A site's detection settings as written; revision 0 = never. */
export interface StoredDetection {
  revision: number;
  body: DetectionInput;
}

/** All settings of a site; `revision` is that of the newest write of any. */
export interface StoredSettings {
  revision: number;
  thresholds: ItemOutput<"thresholds">[];
  silences: ItemOutput<"silences">[];
  webhooks: ItemOutput<"webhooks">[];
  detection: DetectionInput;
}

/** What a written document says; every item has its id. */
export interface SettingsInput {
  thresholds: (ItemInputs["thresholds"] & { id: string })[];
  silences: (ItemInputs["silences"] & { id: string })[];
  webhooks: (ItemInputs["webhooks"] & { id: string })[];
  detection: DetectionInput;
}

export type DeleteResult = "deleted" | "absent" | "changed";

/** One secret of a token, by its SHA-256 as 64 hex digits; `untilMs` = it was rotated away and ends then. */
export interface Secret {
  sha256: string;
  untilMs?: number;
}

/** A made token on disk; `secrets` newest first, `revision` is its ETag. */
export interface StoredToken extends TokenInput {
  id: string;
  revision: number;
  created_at: string;
  rotated_at?: string;
  secrets: Secret[];
}
export type NewToken = TokenInput & { id: string; sha256: string };

/** What authentication needs of a made token. */
export interface Credential extends Pick<StoredToken, "id" | "scopes" | "sites" | "secrets"> {
  expiresAtMs?: number;
}

export type RotateResult = { outcome: "rotated"; token: StoredToken } | { outcome: "absent" | "changed" };
export type DeleteTokenResult = "deleted" | "absent" | "changed";

/** A change that is about to be tried. */
export interface AuditStart {
  actor: Actor;
  action: string;
  site?: string;
  target?: string;
  request_id: string;
}

/** Revisions of an `If-Match`; `any` = `*`. */
export type IfMatch = number[] | "any" | undefined;

/** How a checked subscription reaches the feed: as JSON in this header, which no client can send to it. */
export const SUBSCRIPTION_HEADER = "x-hellotide-subscription";
export interface Subscription {
  /** Sequence after which events are wanted; absent = live. */
  since?: number;
  filter: FeedFilter;
  protocol: Subprotocol;
  /** What it is opened with; absent = nothing that could end. */
  proof?: Proof;
}

export interface ShardObject {
  ingest(payloads: Uint8Array[], shards: number): Promise<IngestResult>;
  claim(key: string, bodyHash: Uint8Array): Promise<ClaimResult>;
  settle(key: string, answer: string | undefined): Promise<void>;
  noteDuplicate(count: number): Promise<void>;
  read(ja4s: string[]): Promise<{ found: FingerprintAnswer[]; missing: number[] }>;
  list(query: ListQuery): Promise<{ asOfMs: number; rows: ListedRow[] }>;
  /** `undefined` = not seen in the last hour. */
  timeline(ja4: string): Promise<TimelineAnswer | undefined>;
  related(ja4: string): Promise<ShardRelated>;
  families(part: Part): Promise<ShardFamilies>;
  features(query: FeatureQuery): Promise<FeaturePage>;
  summary(): Promise<ShardSummary>;
  dryRun(threshold: Threshold): Promise<DryRun>;
  siteHistory(): Promise<SiteHistory>;
  activeThresholds(): Promise<Record<string, string[]>>;
}

/** Which anomalies are asked for; absent = all. */
export interface AnomalyFilter {
  active?: boolean;
  kinds?: string[];
  /** A glob; then events of the whole site are left out. */
  ja4?: string;
}

export interface AnomalyQuery {
  filter: AnomalyFilter;
  /** Every event after this sequence, oldest first; absent = the newest event of each anomaly, newest first. */
  since?: number;
  /** Where the page before ended. */
  cursor?: number;
  limit: number;
}

export interface AnomalyPage {
  /** Events as JSON. */
  events: string[];
  /** Sequence of the last one, when others follow. */
  next?: number;
  /** Events of these sequences were asked for and are no longer kept. */
  gap?: { from: number; to: number };
}

export interface FeedObject {
  /** A page, or that the cursor is newer than the newest event. */
  anomalies(query: AnomalyQuery): Promise<AnomalyPage | "future_cursor">;
  /** The newest event of an anomaly as JSON, and what users say of it. */
  anomaly(anomalyId: string): Promise<{ event: string; feedback?: Feedback } | undefined>;
  /** False when there is no such anomaly. */
  putFeedback(anomalyId: string, feedback: Feedback): Promise<boolean>;
  counts(): Promise<FeedCounts>;
  webhookStatus(ids: string[]): Promise<Record<string, WebhookStatus>>;
  /** Sends a message about nothing, now. */
  testWebhook(webhook: FeedWebhook): Promise<Sent>;
  /** `proof` = what the ticket is made with. */
  addTicket(digest: string, expiresMs: number, proof: Proof | undefined): Promise<void>;
  /** What a good ticket was made with; false = it is not good. It is not good any more afterwards. */
  useTicket(digest: string): Promise<{ proof?: Proof } | false>;
  fetch(request: Request): Promise<Response>;
}

export interface SettingsObject {
  item<K extends ItemKind>(kind: K, id: string): Promise<StoredItem<K> | undefined>;
  /** By id, those after `after`. */
  items<K extends ItemKind>(kind: K, after: string, limit: number): Promise<StoredItem<K>[]>;
  putItem<K extends ItemKind>(
    kind: K,
    id: string,
    input: ItemInputs[K],
    mode: "create" | "replace",
    ifMatch: IfMatch,
  ): Promise<PutResult<K>>;
  /** Gives a webhook a new secret; the one of before signs beside it for `overlapMs`. */
  rotateWebhook(
    id: string,
    overlapMs: number,
    ifMatch: IfMatch,
  ): Promise<StoredItem<"webhooks"> | "absent" | "changed">;
  deleteItem(kind: ItemKind, id: string, ifMatch: IfMatch): Promise<DeleteResult>;
  detection(): Promise<StoredDetection>;
  /** `undefined` = `ifMatch` does not hold. */
  putDetection(
    input: DetectionInput,
    ifMatch: IfMatch,
  ): Promise<{ isNew: boolean; stored: StoredDetection } | undefined>;
  all(): Promise<StoredSettings>;
  /** Replaces everything in one transaction; `undefined` = `ifMatch` does not hold. */
  putAll(
    input: SettingsInput,
    ifMatch: IfMatch,
  ): Promise<(StoredSettings & { newWebhooks: string[] }) | undefined>;
}

/** The account's part of the settings object. */
export interface AccountObject {
  credentials(known: number | undefined): Promise<{ revision: number; list?: Credential[] }>;
  tokens(): Promise<StoredToken[]>;
  token(id: string): Promise<StoredToken | undefined>;
  createToken(token: NewToken): Promise<StoredToken | undefined>;
  rotateToken(id: string, sha256: string, overlapMs: number, ifMatch: IfMatch): Promise<RotateResult>;
  deleteToken(id: string, ifMatch: IfMatch): Promise<DeleteTokenResult>;
  startAudit(start: AuditStart): Promise<number>;
  endAudit(seq: number, status: number, target: string | undefined): Promise<void>;
  audit(
    before: number | undefined,
    limit: number,
    sites: readonly string[] | undefined,
  ): Promise<AuditItem[]>;
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
  account(): AccountObject;
  /** The identity hash under the account's key. */
  hash(): Promise<KeyedHash>;
}
