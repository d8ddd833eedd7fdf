/** What is the account's and no site's: the tokens that were made, and the record of every change. */
import type {
  AuditStart,
  Credential,
  DeleteTokenResult,
  IfMatch,
  NewToken,
  RotateResult,
  StoredToken,
} from "../src/api/objects.ts";
import { AUDIT_KEEP_MS, AUDIT_MAX, TOKEN_SECRETS_MAX, TOKENS_MAX } from "../src/base/account-limits.ts";
import { rfc3339 } from "../src/base/time.ts";
import { SECRET_DIGITS, type TokenNews } from "../src/feed/proof.ts";
import type { AuditItem } from "../src/schemas/token.ts";
import { AccountStore } from "./sql/account-store.ts";
import type { Meta, Sql } from "./sql/migrate.ts";
import { TokenPushes } from "./token-pushes.ts";

/** Meta key of the number that every change of a token counts up. */
const REVISION = "tokens_revision";
const AUDIT_ID_DIGITS = 16;

export class Account {
  readonly #store: AccountStore;
  readonly #storage: Sql;
  readonly #meta: Meta;
  readonly #sites: readonly string[];
  readonly pushes: TokenPushes;

  /** `tell` tells the feed of a site; `sites` are all that there are. */
  constructor(
    storage: Sql,
    meta: Meta,
    sites: Iterable<string>,
    tell: (site: string, news: TokenNews) => Promise<void>,
  ) {
    this.#sites = [...sites];
    this.pushes = new TokenPushes(storage, { newsOf: (token) => this.#newsOf(token), tell });
    this.#storage = storage;
    this.#meta = meta;
    this.#store = new AccountStore(storage);
  }

  /** All that authentication needs; without the list when the caller's one, of revision `known`, still holds. */
  credentials(known: number | undefined): { revision: number; list?: Credential[] } {
    const revision = this.#revision;
    if (known === revision) return { revision };
    const list = this.#store.tokens().map(({ id, scopes, sites, secrets, expires_at }) => ({
      id,
      scopes,
      sites,
      secrets,
      ...(expires_at === undefined ? {} : { expiresAtMs: Date.parse(expires_at) }),
    }));
    return { revision, list };
  }

  tokens(): StoredToken[] {
    return this.#store.tokens();
  }

  token(id: string): StoredToken | undefined {
    return this.#store.token(id);
  }

  /** `undefined` when there are as many as there may be. */
  createToken({ sha256, ...token }: NewToken, nowMs: number): StoredToken | undefined {
    if (this.#store.tokens().length >= TOKENS_MAX) return undefined;
    const created_at = rfc3339(nowMs);
    return this.#put({ ...token, created_at, secrets: [{ sha256 }] });
  }

  /** The new secret comes first; those of before end after `overlapMs` at the latest. */
  rotateToken(id: string, sha256: string, overlapMs: number, ifMatch: IfMatch, nowMs: number): RotateResult {
    const held = this.#store.token(id);
    if (held === undefined) return { outcome: "absent" };
    if (!matches(ifMatch, held)) return { outcome: "changed" };
    const latestMs = nowMs + overlapMs;
    const before = held.secrets
      .map((secret) => ({ ...secret, untilMs: Math.min(secret.untilMs ?? latestMs, latestMs) }))
      .filter(({ untilMs }) => untilMs > nowMs)
      .slice(0, TOKEN_SECRETS_MAX - 1);
    const token = this.#put({ ...held, rotated_at: rfc3339(nowMs), secrets: [{ sha256 }, ...before] });
    return { outcome: "rotated", token };
  }

  deleteToken(id: string, ifMatch: IfMatch): DeleteTokenResult {
    const held = this.#store.token(id);
    if (held === undefined) return "absent";
    if (!matches(ifMatch, held)) return "changed";
    this.#storage.transactionSync(() => {
      this.#store.deleteToken(id);
      this.#meta.set(REVISION, this.#revision + 1);
      this.#note(held);
    });
    return "deleted";
  }

  /** Records that a change is about to be tried; answers the record's number. */
  startAudit(start: AuditStart, nowMs: number): number {
    return this.#store.appendAudit({ at: rfc3339(nowMs), ...start }, nowMs, AUDIT_KEEP_MS, AUDIT_MAX);
  }

  /** How the change ended. What was refused changed nothing and leaves the record. */
  endAudit(seq: number, status: number, target: string | undefined): void {
    if (status >= 400 && status < 500) this.#store.removeAudit(seq);
    else this.#store.settleAudit(seq, status, target);
  }

  /** Newest first, those before the record `before`; of some sites only when `sites` is given. */
  audit(before: number | undefined, limit: number, sites: readonly string[] | undefined): AuditItem[] {
    return this.#store
      .audit(before, limit, sites)
      .map(({ seq, item }) => ({ id: String(seq).padStart(AUDIT_ID_DIGITS, "0"), ...item }));
  }

  get #revision(): number {
    return this.#meta.get<number>(REVISION) ?? 0;
  }

  /** The feeds that the token opens are to hear of its change. */
  #note({ id, scopes, sites }: StoredToken): void {
    if (!scopes.includes("feed")) return;
    this.pushes.note(id, this.#revision, sites.includes("*") ? this.#sites : sites);
  }

  #newsOf(token: string): TokenNews {
    const secrets = (this.#store.token(token)?.secrets ?? []).map(({ sha256, untilMs }) => ({
      secret: sha256.slice(0, SECRET_DIGITS),
      ...(untilMs === undefined ? {} : { untilMs }),
    }));
    return { token, revision: this.#revision, secrets };
  }

  #put(token: Omit<StoredToken, "revision">): StoredToken {
    const stored = { ...token, revision: this.#revision + 1 };
    this.#storage.transactionSync(() => {
      this.#store.putToken(stored);
      this.#meta.set(REVISION, stored.revision);
      if (token.rotated_at !== undefined) this.#note(stored);
    });
    return stored;
  }
}

function matches(ifMatch: IfMatch, held: StoredToken): boolean {
  return ifMatch === undefined || ifMatch === "any" || ifMatch.includes(held.revision);
}
