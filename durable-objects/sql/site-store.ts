/** Site events that run, so that a restart raises nothing again. Made when first needed: code that does not know it needs none. */
import type { SiteEpisode, SiteKind } from "../../src/detect/site/events.ts";
import type { Sql } from "./migrate.ts";

export class SiteStore {
  readonly #sql: Sql["sql"];

  constructor(storage: Sql) {
    this.#sql = storage.sql;
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS site_events (kind TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
    );
  }

  running(): Map<SiteKind, SiteEpisode> {
    const rows = this.#sql.exec<{ kind: SiteKind; state: string }>("SELECT kind, state FROM site_events");
    return new Map(rows.toArray().map(({ kind, state }) => [kind, JSON.parse(state) as SiteEpisode]));
  }

  put(episode: SiteEpisode): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO site_events (kind, state) VALUES (?, ?)",
      episode.kind,
      JSON.stringify(episode),
    );
  }

  delete(kind: SiteKind): void {
    this.#sql.exec("DELETE FROM site_events WHERE kind = ?", kind);
  }
}
