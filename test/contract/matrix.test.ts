/**
 * Every operation of /openapi.json × every scope × the token's own site, another one, an unknown one. Made from the document,
 * so that a new route is in it by itself.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ja4Of } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

const SCOPES = ["ingest", "read", "feed", "write", "admin"] as const;
const SITES = ["shop", "api", "nowhere"] as const;
const KNOWN: readonly string[] = ["shop", "api"];
/** Path values that are well-formed and name nothing. */
const VALUES: Readonly<Record<string, string>> = { ja4: ja4Of(99) };
const NOTHING = "none";

interface Operation {
  method: string;
  template: string;
  /** `undefined` = no token is needed; `any` = every token will do. */
  scope: string | undefined;
}
interface Described {
  security?: { token?: string[] }[];
}

const everywhere = SCOPES.map((scope) => tokenOf(`all-${scope}`, [scope], ["*"]));
const limited = SCOPES.map((scope) => tokenOf(`shop-${scope}`, [scope], ["shop"]));

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let operations: Operation[];

beforeAll(async () => {
  server = await startServer({
    sites: [...KNOWN],
    env: { API_TOKENS: apiTokens([...everywhere, ...limited]) },
  });
  client = createClient(server);
  const document = (await client.get("/openapi.json", { token: null })).json<{
    paths: Record<string, Record<string, Described>>;
  }>();
  operations = Object.entries(document.paths).flatMap(([template, item]) =>
    Object.entries(item).map(([method, { security = [] }]) => ({
      method: method.toUpperCase(),
      template,
      scope: security.length === 0 ? undefined : (security[0]?.token?.[0] ?? "any"),
    })),
  );
}, 30_000);
afterAll(() => server?.stop());

const isOfSite = ({ template }: Operation) => template.includes("{site}");

function pathOf({ template }: Operation, site: string): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) =>
    name === "site" ? site : (VALUES[name] ?? NOTHING),
  );
}

/** Sends nothing that a write could take: what is let in ends as 4xx, or reads. */
async function statusOf(operation: Operation, site: string, token: string | null): Promise<number> {
  const body = operation.method === "GET" || operation.method === "DELETE" ? {} : { json: { nope: 1 } };
  return (await client.send(operation.method, pathOf(operation, site), { token, ...body })).status;
}

/** What the contract says of a cell; `in` = neither 401 nor 403. */
function wanted(operation: Operation, scope: string, site: string, on: string): "in" | 403 | 404 {
  if (operation.scope !== undefined && operation.scope !== "any" && operation.scope !== scope) return 403;
  if (!isOfSite(operation)) return "in";
  if (on !== "*" && on !== site) return 403;
  return KNOWN.includes(site) ? "in" : 404;
}

const got = (status: number, expected: "in" | 403 | 404) =>
  expected === "in" && status < 500 && status !== 401 && status !== 403 ? "in" : status;

/** Cells that are not as wanted, one line each. */
async function faultsOf(tokens: readonly { token: string; scopes: readonly string[] }[], on: string) {
  const faults: string[] = [];
  let cells = 0;
  for (const operation of operations.filter(({ scope }) => scope !== undefined)) {
    for (const site of isOfSite(operation) ? SITES : [""]) {
      for (const { token, scopes } of tokens) {
        const expected = wanted(operation, scopes[0]!, site, on);
        const status = await statusOf(operation, site, token);
        cells++;
        if (got(status, expected) !== expected)
          faults.push(
            `${operation.method} ${pathOf(operation, site)} by ${scopes[0]} on ${on}: ${status}, not ${expected}`,
          );
      }
    }
  }
  return { faults, cells };
}

describe("who may do what", () => {
  it("MATRIX-1: the document names the needed scope of every operation, and few need none", () => {
    const scopes = new Set<string | undefined>([...SCOPES, "any", undefined]);
    expect(operations.filter(({ scope }) => !scopes.has(scope))).toEqual([]);
    const open = operations.filter(({ scope }) => scope === undefined).map(({ template }) => template);
    expect(open.filter((path) => path.startsWith("/v1/") || path === "/metrics")).toEqual([]);
    for (const scope of SCOPES) expect(operations.map((operation) => operation.scope)).toContain(scope);
  });

  it("MATRIX-2: a token for one site is 403 on every other, known or not, and without the scope", async () => {
    const { faults, cells } = await faultsOf(limited, "shop");
    expect(faults).toEqual([]);
    expect(cells).toBeGreaterThan(150);
  });

  it("MATRIX-3: a token for every site is 404 on an unknown one, and 403 without the scope", async () => {
    const { faults, cells } = await faultsOf(everywhere, "*");
    expect(faults).toEqual([]);
    expect(cells).toBeGreaterThan(150);
  });

  it("MATRIX-4: without a token, or with a wrong one, every operation that needs one is 401", async () => {
    for (const token of [null, "wrong", "ht_wrong"]) {
      const faults: string[] = [];
      for (const operation of operations.filter(({ scope }) => scope !== undefined)) {
        for (const site of SITES) {
          const status = await statusOf(operation, site, token);
          if (status !== 401) faults.push(`${operation.method} ${pathOf(operation, site)}: ${status}`);
        }
      }
      expect(faults).toEqual([]);
    }
  });

  it("MATRIX-5: what is let in without the right to change changes nothing that is recorded", async () => {
    const admin = everywhere.find(({ scopes }) => scopes[0] === "admin")!;
    const { items } = (await client.get("/v1/audit", { token: admin.token })).json<{ items: unknown[] }>();
    expect(items).toEqual([]);
  });
});
