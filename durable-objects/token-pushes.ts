/**
 * Tells the feeds what has become of a token, so that sockets do not outlive it. What is still to be told lies on the account
 * object's disk; whoever calls `push` does so again until nothing is left.
 */
import { errorClass, logWarning } from "../src/base/log.ts";
import { SETTINGS_PUSH_TIMEOUT_MS } from "../src/config.ts";
import type { TokenNews } from "../src/feed/proof.ts";
import type { Sql } from "./sql/migrate.ts";
import { withTimeout } from "./timeout.ts";

/** Feeds that are told at once; the rest follows. */
const PUSH_MAX = 100;

export interface TokenPushDeps {
  /** What is true of the token now. */
  newsOf(token: string): TokenNews;
  tell(site: string, news: TokenNews): Promise<void>;
}

interface Pending extends Record<string, string | number> {
  site: string;
  token: string;
  revision: number;
}

export class TokenPushes {
  readonly #sql: Sql["sql"];
  readonly #deps: TokenPushDeps;

  constructor({ sql }: Sql, deps: TokenPushDeps) {
    this.#sql = sql;
    this.#deps = deps;
    // No entry of the object's migrations: code of before opens the same disk.
    sql.exec(
      "CREATE TABLE IF NOT EXISTS token_pushes (site TEXT NOT NULL, token TEXT NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (site, token)) WITHOUT ROWID",
    );
  }

  /** Something became of a token, in a change of this revision: the feeds of these sites are to know. */
  note(token: string, revision: number, sites: Iterable<string>): void {
    for (const site of sites) {
      this.#sql.exec(
        "INSERT OR REPLACE INTO token_pushes (site, token, revision) VALUES (?, ?, ?)",
        site,
        token,
        revision,
      );
    }
  }

  /** Tells what is to be told; false = some of it is left. */
  async push(): Promise<boolean> {
    const pending = this.#sql
      .exec<Pending>("SELECT site, token, revision FROM token_pushes LIMIT ?", PUSH_MAX)
      .toArray();
    await Promise.all(pending.map((one) => this.#push(one)));
    return this.#sql.exec("SELECT 1 FROM token_pushes LIMIT 1").toArray().length === 0;
  }

  async #push({ site, token, revision }: Pending): Promise<void> {
    const { newsOf, tell } = this.#deps;
    try {
      await withTimeout(tell(site, newsOf(token)), SETTINGS_PUSH_TIMEOUT_MS, "a feed");
      // Something more became of it meanwhile: that is still to be told.
      this.#sql.exec(
        "DELETE FROM token_pushes WHERE site = ? AND token = ? AND revision = ?",
        site,
        token,
        revision,
      );
    } catch (error) {
      logWarning({ event: "token_not_pushed", site, error: errorClass(error) });
    }
  }
}
