/**
 * Settings: one per site (thresholds, silences, detection, the shard map) and one for the account (the key of the identity
 * hashes). Every change is pushed to all shards and to the feed before it is answered, and pushed again by alarm when one
 * of them did not acknowledge.
 */
import { DurableObject } from "cloudflare:workers";
import type {
  AuditStart,
  DeleteResult,
  IfMatch,
  ItemInputs,
  ItemKind,
  ItemOutput,
  NewToken,
  PutResult,
  SettingsInput,
  ShardMap,
  ShardSettings,
  StoredDetection,
  StoredItem,
  StoredSettings,
} from "../src/api/objects.ts";
import { errorClass, logWarning } from "../src/base/log.ts";
import { rfc3339 } from "../src/base/time.ts";
import { ITEMS_MAX, SECOND_MS, SETTINGS_PUSH_TIMEOUT_MS } from "../src/config.ts";
import { type Options, parseOptions } from "../src/options.ts";
import { compileDetection, type DetectionInput } from "../src/schemas/detection.ts";
import { compileSilence } from "../src/schemas/silence.ts";
import { compileThreshold } from "../src/schemas/threshold.ts";
import { Account } from "./account.ts";
import type { Env } from "./env.ts";
import { SettingsStore } from "./sql/settings-store.ts";
import { ACCOUNT, Stubs, siteOfName } from "./stubs.ts";
import { withTimeout } from "./timeout.ts";
import { feedWebhooks, rotated, withSecrets } from "./webhook-secrets.ts";

/** Longer than a push takes, or every alarm would find the push before it still under way. */
const RETRY_MS = 2 * SECOND_MS;
/** Several tries within the minute in which a revoked token's sockets must be closed. */
const TOKEN_RETRY_MS = 10 * SECOND_MS;
const FIRST_EPOCH = 1;
const HASH_KEY_BYTES = 16;

/** What this object adds to what users write of each kind, from the item that it replaces. */
const COMPLETED: {
  [K in ItemKind]: (input: ItemInputs[K], held: ItemOutput<K> | undefined) => ItemInputs[K];
} = { thresholds: (input) => input, silences: (input) => input, webhooks: withSecrets };

export class Settings extends DurableObject<Env> {
  readonly #options: Options;
  readonly #site: string;
  readonly #store: SettingsStore;
  #account: Account | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#options = parseOptions(env);
    this.#site = siteOfName(ctx.id.name);
    this.#store = new SettingsStore(ctx.storage);
  }

  /** The account's key of the identity hashes, made at the first call. */
  hashKey(): Uint8Array {
    const held = this.#store.meta.get<number[]>("hash_key");
    if (held !== undefined) return Uint8Array.from(held);
    const made = crypto.getRandomValues(new Uint8Array(HASH_KEY_BYTES));
    this.#store.meta.set("hash_key", [...made]);
    return made;
  }

  /** Tokens and audit, of the account's object only: made at the first call, so no site's disk gets its tables. */
  get #accounts(): Account {
    this.#account ??= new Account(
      this.ctx.storage,
      this.#store.meta,
      this.#options.sites.keys(),
      async (site, news) => new Stubs(this.env, this.#options).feed(site).tokenChanged(news),
    );
    return this.#account;
  }

  credentials(known: number | undefined) {
    return this.#accounts.credentials(known);
  }

  tokens() {
    return this.#accounts.tokens();
  }

  token(id: string) {
    return this.#accounts.token(id);
  }

  createToken(token: NewToken) {
    return this.#accounts.createToken(token, Date.now());
  }

  async rotateToken(id: string, sha256: string, overlapMs: number, ifMatch: IfMatch) {
    const result = this.#accounts.rotateToken(id, sha256, overlapMs, ifMatch, Date.now());
    if (result.outcome === "rotated") await this.#pushTokens();
    return result;
  }

  async deleteToken(id: string, ifMatch: IfMatch) {
    const result = this.#accounts.deleteToken(id, ifMatch);
    if (result === "deleted") await this.#pushTokens();
    return result;
  }

  /** Tells the feeds what became of tokens. The alarm is set with the change, and repeats what a feed did not acknowledge. */
  async #pushTokens(): Promise<void> {
    await this.ctx.storage.setAlarm(Date.now() + TOKEN_RETRY_MS);
    if (await this.#accounts.pushes.push()) await this.ctx.storage.deleteAlarm();
  }

  startAudit(start: AuditStart) {
    return this.#accounts.startAudit(start, Date.now());
  }

  endAudit(seq: number, status: number, target: string | undefined) {
    this.#accounts.endAudit(seq, status, target);
  }

  audit(before: number | undefined, limit: number, sites: readonly string[] | undefined) {
    return this.#accounts.audit(before, limit, sites);
  }

  /** The site's shard map, fixed at its first start: another number of shards would send keys elsewhere. */
  map(): ShardMap {
    const held = this.#store.meta.get<ShardMap>("map");
    const configured = this.#options.shards;
    if (held !== undefined) {
      if (held.shards !== configured) {
        logWarning({ event: "shards_ignored", site: this.#site, configured, stored: held.shards });
      }
      return held;
    }
    const map = { epoch: FIRST_EPOCH, shards: configured };
    this.#store.meta.set("map", map);
    return map;
  }

  item<K extends ItemKind>(kind: K, id: string): StoredItem<K> | undefined {
    return this.#store.item(kind, id);
  }

  items<K extends ItemKind>(kind: K, after: string, limit: number): StoredItem<K>[] {
    return this.#store.items(kind, after, limit);
  }

  /** Creates (`mode` create) or replaces an item and puts it into force. */
  async putItem<K extends ItemKind>(
    kind: K,
    id: string,
    input: ItemInputs[K],
    mode: "create" | "replace",
    ifMatch: IfMatch,
  ): Promise<PutResult<K>> {
    const held = this.#store.item(kind, id);
    if (mode === "create" && held !== undefined) return { outcome: "exists" };
    if (!matches(ifMatch, held?.revision)) return { outcome: "changed" };
    if (held === undefined && this.#store.count(kind) >= ITEMS_MAX[kind]) return { outcome: "full" };
    const now = rfc3339(Date.now());
    const whole = COMPLETED[kind](input, held?.body);
    const body = { ...whole, id, created_at: held?.body.created_at ?? now, updated_at: now };
    const stored = this.#store.put(kind, body);
    await this.#push();
    return { outcome: held === undefined ? "created" : "replaced", stored };
  }

  /** Gives a webhook a new secret; the one of before signs beside it for `overlapMs`. */
  async rotateWebhook(id: string, overlapMs: number, ifMatch: IfMatch) {
    const held = this.#store.item("webhooks", id);
    if (held === undefined) return "absent";
    if (!matches(ifMatch, held.revision)) return "changed";
    const stored = this.#store.put("webhooks", rotated(held.body, Date.now() + overlapMs));
    await this.#push();
    return stored;
  }

  async deleteItem(kind: ItemKind, id: string, ifMatch: IfMatch): Promise<DeleteResult> {
    const held = this.#store.item(kind, id);
    if (held === undefined) return "absent";
    if (!matches(ifMatch, held.revision)) return "changed";
    this.#store.delete(kind, id);
    await this.#push();
    return "deleted";
  }

  detection(): StoredDetection {
    return this.#store.detection();
  }

  /** Replaces the detection settings and puts them into force. Unwritten ones are the defaults, and can be matched. */
  async putDetection(
    input: DetectionInput,
    ifMatch: IfMatch,
  ): Promise<{ isNew: boolean; stored: StoredDetection } | undefined> {
    const { revision } = this.#store.detection();
    if (!matches(ifMatch, revision)) return undefined;
    const stored = this.#store.putDetection(input);
    await this.#push();
    return { isNew: revision === 0, stored };
  }

  all(): StoredSettings {
    return this.#store.all();
  }

  /** Replaces everything that users set, in one transaction and with one push. */
  async putAll(input: SettingsInput, ifMatch: IfMatch) {
    if (!matches(ifMatch, this.#store.revision)) return undefined;
    const held = new Map(this.#store.items("webhooks").map(({ body }) => [body.id, body]));
    const webhooks = input.webhooks.map((webhook) => withSecrets(webhook, held.get(webhook.id)));
    const isChanged = this.#store.replaceAll({ ...input, webhooks }, rfc3339(Date.now()));
    // Taken now: others may write during the push.
    const newWebhooks = webhooks.flatMap(({ id }) => (held.has(id) ? [] : [id]));
    const stored = { ...this.#store.all(), newWebhooks };
    if (isChanged) await this.#push();
    return stored;
  }

  override async alarm(): Promise<void> {
    await (this.#site === ACCOUNT ? this.#pushTokens() : this.#push());
  }

  /** What the shards run. Silences that have ended are left out; those that end later end by the shards' clocks. */
  #shardSettings({ revision, thresholds, silences, detection }: StoredSettings): ShardSettings {
    const nowMs = Date.now();
    return {
      revision,
      shards: this.map().shards,
      thresholds: thresholds.map(compileThreshold),
      silences: silences
        .map(compileSilence)
        .filter(({ untilMs }) => untilMs === undefined || untilMs > nowMs),
      detection: compileDetection(detection),
    };
  }

  /**
   * Sends the settings to every shard and to the feed, and waits for their word; an alarm repeats it for those that stayed
   * silent. The alarm is set with the change itself, before anything is sent: an object that dies in between pushes when
   * it wakes up.
   */
  async #push(): Promise<void> {
    const { epoch, shards } = this.map();
    await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
    const all = this.#store.all();
    const { revision } = all;
    const settings = this.#shardSettings(all);
    const webhooks = feedWebhooks(all.webhooks, all.thresholds);
    const stubs = new Stubs(this.env, this.#options);
    const told = [
      this.#tell(
        "feed",
        stubs.feed(this.#site).applySettings({ revision, storm: settings.detection.storm, webhooks }),
      ),
      ...Array.from({ length: shards }, (_, shard) =>
        this.#tell(shard, stubs.shard({ site: this.#site, epoch, shard }).applySettings(settings)),
      ),
    ];
    const isKnown = (await Promise.all(told)).every(Boolean);
    // Another change meanwhile has set its own.
    if (isKnown && revision === this.#store.revision) await this.ctx.storage.deleteAlarm();
  }

  /** Whether a shard, by its number, or the feed has taken its settings. */
  async #tell(to: number | "feed", taken: Promise<number>): Promise<boolean> {
    try {
      await withTimeout(taken, SETTINGS_PUSH_TIMEOUT_MS, "settings");
      return true;
    } catch (error) {
      const receiver = to === "feed" ? { object: to } : { shard: to };
      logWarning({ event: "settings_not_pushed", site: this.#site, ...receiver, error: errorClass(error) });
      return false;
    }
  }
}

/** `held`: the revision of what is there; absent = nothing. */
function matches(ifMatch: IfMatch, held: number | undefined): boolean {
  if (ifMatch === undefined) return true;
  return held !== undefined && (ifMatch === "any" || ifMatch.includes(held));
}
