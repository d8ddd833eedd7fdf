/**
 * Settings: one per site (thresholds, the shard map) and one for the account (the key of the identity hashes). Every
 * change is pushed to all shards before it is answered, and pushed again by alarm to those that did not acknowledge.
 */
import { DurableObject } from "cloudflare:workers";
import {
  type DeleteResult,
  type IfMatch,
  ITEMS_MAX,
  type ItemInputs,
  type ItemKind,
  type PutResult,
  type ShardMap,
  type ShardSettings,
  type StoredItem,
} from "../src/api/objects.ts";
import { errorClass, logWarning } from "../src/base/log.ts";
import { rfc3339 } from "../src/base/time.ts";
import { SECOND_MS, SETTINGS_PUSH_TIMEOUT_MS } from "../src/config.ts";
import { DEFAULT_DETECTION } from "../src/detect/settings.ts";
import { type Options, parseOptions } from "../src/options.ts";
import { compileThreshold } from "../src/schemas/threshold.ts";
import type { Env } from "./env.ts";
import { SettingsStore } from "./sql/settings-store.ts";
import { Stubs, siteOfName } from "./stubs.ts";
import { withTimeout } from "./timeout.ts";

/** Longer than a push takes, or every alarm would find the push before it still under way. */
const RETRY_MS = 2 * SECOND_MS;
const FIRST_EPOCH = 1;
const HASH_KEY_BYTES = 16;

export class Settings extends DurableObject<Env> {
  readonly #options: Options;
  readonly #site: string;
  readonly #store: SettingsStore;

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
    const body = { ...input, id, created_at: held?.body.created_at ?? now, updated_at: now };
    const stored = this.#store.put(kind, body);
    await this.#push();
    return { outcome: held === undefined ? "created" : "replaced", stored };
  }

  async deleteItem(kind: ItemKind, id: string, ifMatch: IfMatch): Promise<DeleteResult> {
    const held = this.#store.item(kind, id);
    if (held === undefined) return "absent";
    if (!matches(ifMatch, held.revision)) return "changed";
    this.#store.delete(kind, id);
    await this.#push();
    return "deleted";
  }

  override async alarm(): Promise<void> {
    await this.#push();
  }

  /** What the shards run. */
  #shardSettings(): ShardSettings {
    return {
      revision: this.#store.revision,
      shards: this.map().shards,
      thresholds: this.#store.items("thresholds").map(({ body }) => compileThreshold(body)),
      silences: [],
      detection: DEFAULT_DETECTION,
    };
  }

  /**
   * Sends the settings to every shard and waits for their word; an alarm repeats it for those that stayed silent. The alarm
   * is set with the change itself, before anything is sent: an object that dies in between pushes when it wakes up.
   */
  async #push(): Promise<void> {
    const { epoch, shards } = this.map();
    await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);
    const revision = this.#store.revision;
    const settings = this.#shardSettings();
    const stubs = new Stubs(this.env, this.#options);
    const pushes = Array.from({ length: shards }, (_, shard) =>
      withTimeout(
        stubs.shard({ site: this.#site, epoch, shard }).applySettings(settings),
        SETTINGS_PUSH_TIMEOUT_MS,
        "shard",
      ),
    );
    const results = await Promise.allSettled(pushes);
    let silent = 0;
    results.forEach((result, shard) => {
      if (result.status === "fulfilled") return;
      silent++;
      logWarning({ event: "settings_not_pushed", site: this.#site, shard, error: errorClass(result.reason) });
    });
    // Another change meanwhile has set its own.
    if (silent === 0 && revision === this.#store.revision) await this.ctx.storage.deleteAlarm();
  }
}

/** `held`: the revision of what is there; absent = nothing. */
function matches(ifMatch: IfMatch, held: number | undefined): boolean {
  if (ifMatch === undefined) return true;
  return held !== undefined && (ifMatch === "any" || ifMatch.includes(held));
}
