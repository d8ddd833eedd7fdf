/**
 * What opens the feed: tickets (digests only), what they were made with, and what became of tokens lately. All but the first
 * table are made here and not by a migration, so that code of before still opens the disk.
 */
import { TOKENS_STALE_MS } from "../../src/base/account-limits.ts";
import { TICKET_LIVE_MS } from "../../src/base/feed-limits.ts";
import { MINUTE_MS } from "../../src/config.ts";
import type { Proof, TokenNews } from "../../src/feed/proof.ts";
import type { Sql } from "./migrate.ts";

/** An isolate may believe an old list of tokens for so long, and a ticket made with it lives on; a minute for slow calls. */
const NEWS_KEEP_MS = TOKENS_STALE_MS + TICKET_LIVE_MS + MINUTE_MS;

export class ProofStore {
  readonly #sql: Sql["sql"];

  constructor({ sql }: Sql) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS ticket_proofs (digest TEXT PRIMARY KEY, proof TEXT NOT NULL) WITHOUT ROWID",
    );
    sql.exec(
      "CREATE TABLE IF NOT EXISTS token_news (token TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, news TEXT NOT NULL) WITHOUT ROWID",
    );
  }

  /** `proof` of whoever made the ticket; absent = nothing that could end. */
  addTicket(digest: string, expiresMs: number, nowMs: number, proof?: Proof): void {
    this.#sql.exec("DELETE FROM tickets WHERE expires_ms <= ?", nowMs);
    this.#sql.exec("DELETE FROM ticket_proofs WHERE digest NOT IN (SELECT digest FROM tickets)");
    this.#sql.exec("INSERT INTO tickets (digest, expires_ms) VALUES (?, ?)", digest, expiresMs);
    if (proof === undefined) return;
    this.#sql.exec("INSERT INTO ticket_proofs (digest, proof) VALUES (?, ?)", digest, JSON.stringify(proof));
  }

  /** What a good ticket was made with; it is not good any more afterwards. False = it was not. */
  useTicket(digest: string, nowMs: number): { proof?: Proof } | false {
    const used = this.#sql
      .exec<{ expires_ms: number }>("DELETE FROM tickets WHERE digest = ? RETURNING expires_ms", digest)
      .toArray()[0];
    const made = this.#sql
      .exec<{ proof: string }>("DELETE FROM ticket_proofs WHERE digest = ? RETURNING proof", digest)
      .toArray()[0];
    if (used === undefined || used.expires_ms <= nowMs) return false;
    return made === undefined ? {} : { proof: JSON.parse(made.proof) as Proof };
  }

  /** Keeps news for as long as somebody may not have heard them; false = newer ones of this token are known. */
  note(news: TokenNews, nowMs: number): boolean {
    this.#sql.exec("DELETE FROM token_news WHERE at_ms <= ?", nowMs - NEWS_KEEP_MS);
    if ((this.news(news.token)?.revision ?? 0) > news.revision) return false;
    this.#sql.exec(
      "INSERT OR REPLACE INTO token_news (token, at_ms, news) VALUES (?, ?, ?)",
      news.token,
      nowMs,
      JSON.stringify(news),
    );
    return true;
  }

  /** What became of a token lately. */
  news(token: string): TokenNews | undefined {
    const row = this.#sql
      .exec<{ news: string }>("SELECT news FROM token_news WHERE token = ?", token)
      .toArray()[0];
    return row === undefined ? undefined : (JSON.parse(row.news) as TokenNews);
  }
}
