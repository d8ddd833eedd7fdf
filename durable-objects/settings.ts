/**
 * Settings: one per site (thresholds, the shard map) and one for the account (the key of the identity hashes). Every
 * change is pushed to all shards before it is answered, and pushed again by alarm to those that did not acknowledge.
 */
import { DurableObject } from "cloudflare:workers";
import type {
  DeleteResult,
  IfMatch,
  PutResult,
  ShardMap,
  ShardSettings,
  StoredThreshold,
} from "../src/api/objects.ts";
import { errorClass, logWarning } from "../src/base/log.ts";
import { rfc3339 } from "../src/base/time.ts";
import { LIST_LIMIT_MAX, SECOND_MS, SETTINGS_PUSH_TIMEOUT_MS, THRESHOLDS_MAX } from "../src/config.ts";
import { DEFAULT_DETECTION } from "../src/detect/settings.ts";
import { type Options, parseOptions } from "../src/options.ts";
import { compileThreshold, type ThresholdInput, type ThresholdOutput } from "../src/schemas/threshold.ts";
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

  threshold(id: string): StoredThreshold | undefined {
    return this.#store.threshold(id);
  }

  thresholds(after: string, limit: number): StoredThreshold[] {
    return this.#store.thresholds(after, limit);
  }

  /** Creates (`mode` create) or replaces a threshold and puts it into force. */
  async putThreshold(
    id: string,
    input: ThresholdInput,
    mode: "create" | "replace",
    ifMatch: IfMatch,
  ): Promise<PutResult> {
    const held = this.#store.threshold(id);
    if (mode === "create" && held !== undefined) return { outcome: "exists" };
    if (!matches(ifMatch, held)) return { outcome: "changed" };
    if (held === undefined && this.#store.count() >= THRESHOLDS_MAX) return { outcome: "full" };
    const now = rfc3339(Date.now());
    const body: ThresholdOutput = { ...input, id, created_at: held?.body.created_at ?? now, updated_at: now };
    const revision = this.#store.put(body);
    await this.#push();
    return { outcome: held === undefined ? "created" : "replaced", stored: { revision, body } };
  }

  async deleteThreshold(id: string, ifMatch: IfMatch): Promise<DeleteResult> {
    const held = this.#store.threshold(id);
    if (held === undefined) return "absent";
    if (!matches(ifMatch, held)) return "changed";
    this.#store.delete(id);
    await this.#push();
    return "deleted";
  }

  override async alarm(): Promise<void> {
    await this.#push();
  }

  /** What the shards run. */
  #shardSettings(): ShardSettings {
    const stored = this.#store.thresholds("", LIST_LIMIT_MAX);
    return {
      revision: this.#store.revision,
      shards: this.map().shards,
      thresholds: stored.map(({ body }) => compileThreshold(body)),
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

function matches(ifMatch: IfMatch, held: StoredThreshold | undefined): boolean {
  if (ifMatch === undefined) return true;
  return held !== undefined && (ifMatch === "any" || ifMatch.includes(held.revision));
}
