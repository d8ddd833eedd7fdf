/**
 * What users set, on disk. Every write takes the next revision of the site; a resource's ETag is its last one. A kind of
 * items has a table of its name; all but the first are made when first needed and not by a migration, since code that
 * does not know them does as well without.
 */
import type {
  ItemInputs,
  ItemKind,
  ItemOutput,
  SettingsInput,
  StoredDetection,
  StoredItem,
  StoredSettings,
} from "../../src/api/objects.ts";
import { canonicalJson } from "../../src/base/json.ts";
import { ITEMS_MAX } from "../../src/config.ts";
import { type DetectionInput, filledDetection } from "../../src/schemas/detection.ts";
import { isSameItem } from "../../src/schemas/item.ts";
import { Meta, type Migration, migrate, type Sql } from "./migrate.ts";

const MIGRATIONS: Migration[] = [
  Meta.migration,
  {
    name: "thresholds",
    sql: [
      "CREATE TABLE thresholds (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
    ],
  },
];

export class SettingsStore {
  readonly meta: Meta;
  readonly #storage: Sql;

  constructor(storage: Sql) {
    migrate(storage, MIGRATIONS);
    this.#storage = storage;
    this.meta = new Meta(storage);
  }

  get revision(): number {
    return this.meta.get<number>("revision") ?? 0;
  }

  item<K extends ItemKind>(kind: K, id: string): StoredItem<K> | undefined {
    return this.#read(kind, "WHERE id = ?", id)[0];
  }

  /** By id, those after `after`. */
  items<K extends ItemKind>(kind: K, after = "", limit = ITEMS_MAX[kind]): StoredItem<K>[] {
    return this.#read(kind, "WHERE id > ? ORDER BY id LIMIT ?", after, limit);
  }

  count(kind: ItemKind): number {
    if (!this.#has(kind)) return 0;
    return this.#storage.sql.exec<{ n: number }>(`SELECT COUNT(*) AS n FROM ${kind}`).one().n;
  }

  put<K extends ItemKind>(kind: K, body: ItemOutput<K>): StoredItem<K> {
    return this.#write((revision) => {
      this.#putAt(revision, kind, body);
      return { revision, body };
    });
  }

  delete(kind: ItemKind, id: string): void {
    this.#write(() => this.#deleteAt(kind, id));
  }

  detection(): StoredDetection {
    return this.meta.get<StoredDetection>("detection") ?? { revision: 0, body: {} };
  }

  putDetection(body: DetectionInput): StoredDetection {
    return this.#write((revision) => this.#putDetectionAt(revision, body));
  }

  all(): StoredSettings {
    return {
      revision: this.revision,
      thresholds: this.items("thresholds").map(({ body }) => body),
      silences: this.items("silences").map(({ body }) => body),
      webhooks: this.items("webhooks").map(({ body }) => body),
      detection: this.detection().body,
    };
  }

  /** Makes the settings those of a document, in one transaction. What is as before is not touched; false = all of it. */
  replaceAll(input: SettingsInput, now: string): boolean {
    const changes = [
      ...this.#changes("thresholds", input.thresholds, now),
      ...this.#changes("silences", input.silences, now),
      ...this.#changes("webhooks", input.webhooks, now),
    ];
    const held = filledDetection(this.detection().body);
    if (canonicalJson(held) !== canonicalJson(filledDetection(input.detection)))
      changes.push((revision) => this.#putDetectionAt(revision, input.detection));
    if (changes.length === 0) return false;
    this.#write((revision) => {
      for (const change of changes) change(revision);
    });
    return true;
  }

  /** What turns a kind's items into these. */
  #changes<K extends ItemKind>(
    kind: K,
    items: readonly (ItemInputs[K] & { id: string })[],
    now: string,
  ): ((revision: number) => void)[] {
    const held = new Map(this.items(kind).map(({ body }) => [body.id, body]));
    const wanted = new Set(items.map(({ id }) => id));
    const puts = items.flatMap((item) => {
      const before = held.get(item.id);
      if (before !== undefined && isSameItem(before, item)) return [];
      const body = { ...item, created_at: before?.created_at ?? now, updated_at: now };
      return [(revision: number) => this.#putAt(revision, kind, body)];
    });
    const deletes = [...held.keys()]
      .filter((id) => !wanted.has(id))
      .map((id) => () => this.#deleteAt(kind, id));
    return [...puts, ...deletes];
  }

  /** Changes in one transaction, under the site's next revision. */
  #write<T>(change: (revision: number) => T): T {
    const revision = this.revision + 1;
    return this.#storage.transactionSync(() => {
      const result = change(revision);
      this.meta.set("revision", revision);
      return result;
    });
  }

  #putAt<K extends ItemKind>(revision: number, kind: K, body: ItemOutput<K>): void {
    const { sql } = this.#storage;
    if (!this.#has(kind)) {
      sql.exec(
        `CREATE TABLE ${kind} (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID`,
      );
    }
    sql.exec(
      `INSERT OR REPLACE INTO ${kind} (id, revision, body) VALUES (?, ?, ?)`,
      body.id,
      revision,
      JSON.stringify(body),
    );
  }

  #deleteAt(kind: ItemKind, id: string): void {
    this.#storage.sql.exec(`DELETE FROM ${kind} WHERE id = ?`, id);
  }

  #putDetectionAt(revision: number, body: DetectionInput): StoredDetection {
    const stored = { revision, body };
    this.meta.set("detection", stored);
    return stored;
  }

  #read<K extends ItemKind>(kind: K, where: string, ...bindings: (string | number)[]): StoredItem<K>[] {
    if (!this.#has(kind)) return [];
    return this.#storage.sql
      .exec<{ revision: number; body: string }>(`SELECT revision, body FROM ${kind} ${where}`, ...bindings)
      .toArray()
      .map(({ revision, body }) => ({ revision, body: JSON.parse(body) as ItemOutput<K> }));
  }

  /** Whether its table was made. The kind goes into statements: it must be one of ours. */
  #has(kind: ItemKind): boolean {
    if (!Object.hasOwn(ITEMS_MAX, kind)) throw new Error("a kind of item that is not known");
    return (
      this.#storage.sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", kind).toArray()
        .length > 0
    );
  }
}
