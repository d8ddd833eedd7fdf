/** The account's tokens and audit record on a real SQLite, without a platform. */
import { describe, expect, it } from "vitest";
import { Account } from "../../durable-objects/account.ts";
import { AccountStore } from "../../durable-objects/sql/account-store.ts";
import { Meta, migrate } from "../../durable-objects/sql/migrate.ts";
import type { NewToken } from "../../src/api/objects.ts";
import { TOKEN_SECRETS_MAX, TOKENS_MAX } from "../../src/base/account-limits.ts";
import { MemorySql } from "../support/sqlite.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");
const HOUR = 3_600_000;

function account(sql = new MemorySql()): Account {
  migrate(sql, [Meta.migration]);
  return new Account(sql, new Meta(sql), ["shop"], async () => {});
}
const token = (id: string): NewToken => ({
  id,
  name: id,
  scopes: ["read"],
  sites: ["shop"],
  sha256: `${id}-digest`,
});
const start = (site: string, target = "t") => ({
  actor: { token: "a" },
  action: "threshold.put",
  site,
  target,
  request_id: "r",
});

describe("tokens of the account", () => {
  it("TOKEN-11: the list is sent only when it changed", () => {
    const held = account();
    const first = held.credentials(undefined);
    expect(first.list).toEqual([]);
    expect(held.credentials(first.revision)).toEqual({ revision: first.revision });
    held.createToken(token("a"), NOW);
    const second = held.credentials(first.revision);
    expect(second.list).toMatchObject([{ id: "a", secrets: [{ sha256: "a-digest" }] }]);
    held.rotateToken("a", "new", 0, undefined, NOW);
    const third = held.credentials(second.revision);
    expect(third.list?.[0]?.secrets).toEqual([{ sha256: "new" }]);
    held.deleteToken("a", undefined);
    expect(held.credentials(third.revision).list).toEqual([]);
  });

  it("TOKEN-4: a later rotation ends earlier secrets with its own overlap, and keeps a few at most", () => {
    const held = account();
    held.createToken(token("a"), NOW);
    held.rotateToken("a", "s1", 24 * HOUR, undefined, NOW);
    held.rotateToken("a", "s2", HOUR, undefined, NOW + 1);
    expect(held.token("a")?.secrets).toEqual([
      { sha256: "s2" },
      { sha256: "s1", untilMs: NOW + 1 + HOUR },
      { sha256: "a-digest", untilMs: NOW + 1 + HOUR },
    ]);
    held.rotateToken("a", "s3", 24 * HOUR, undefined, NOW + 2);
    expect(held.token("a")?.secrets[2]).toEqual({ sha256: "s1", untilMs: NOW + 1 + HOUR });
    for (let i = 0; i < 10; i++) held.rotateToken("a", `r${i}`, HOUR, undefined, NOW + 3);
    expect(held.token("a")?.secrets.length).toBe(TOKEN_SECRETS_MAX);
    expect(held.token("a")?.secrets[0]).toEqual({ sha256: "r9" });
  });

  it("TOKEN-12: there are so many tokens at most, and one that goes makes room", () => {
    const held = account();
    for (let i = 0; i < TOKENS_MAX; i++) expect(held.createToken(token(`t${i}`), NOW)).toBeDefined();
    expect(held.createToken(token("more"), NOW)).toBeUndefined();
    expect(held.token("more")).toBeUndefined();
    held.deleteToken("t0", undefined);
    expect(held.createToken(token("more"), NOW)).toBeDefined();
  });
});

describe("audit record", () => {
  it("AUDIT-1: an entry is there before its end is known", () => {
    const held = account();
    const seq = held.startAudit(start("shop"), NOW);
    expect(held.audit(undefined, 10, undefined)).toEqual([
      { id: "0000000000000001", at: "2026-11-23T10:00:00.000Z", ...start("shop") },
    ]);
    held.endAudit(seq, 201, "made");
    expect(held.audit(undefined, 10, undefined)[0]).toMatchObject({ status: 201, target: "made" });
  });

  it("AUDIT-2: what was refused leaves the record; what may have happened stays", () => {
    const held = account();
    held.endAudit(held.startAudit(start("shop"), NOW), 422, undefined);
    held.endAudit(held.startAudit(start("shop"), NOW), 503, undefined);
    expect(held.audit(undefined, 10, undefined).map(({ status }) => status)).toEqual([503]);
  });

  it("AUDIT-5: it is bounded by age and number", () => {
    const sql = new MemorySql();
    const store = new AccountStore(sql);
    const append = (atMs: number) =>
      store.appendAudit({ at: "", ...start("shop") }, atMs, 90 * 24 * HOUR, 50);
    for (let i = 0; i < 200; i++) append(NOW + i);
    expect(store.audit(undefined, 1_000, undefined).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 50 }, (_, i) => 200 - i),
    );
    const later = NOW + 91 * 24 * HOUR;
    for (let i = 0; i < 10; i++) append(later);
    expect(store.audit(undefined, 1_000, undefined).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 10 }, (_, i) => 210 - i),
    );
  });

  it("AUDIT-6: code of before opens the same disk", () => {
    const sql = new MemorySql();
    account(sql).createToken(token("a"), NOW);
    expect(() => migrate(sql, [Meta.migration])).not.toThrow();
    expect(account(sql).token("a")?.name).toBe("a");
  });
});
