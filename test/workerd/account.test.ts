/** The account's object when it does not answer, and what a made token may do through the Worker itself. */
import { env, exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { hex, sha256 } from "../../src/base/hash.ts";
import { breakMethods, call } from "./helpers.ts";

const account = () => env.SETTINGS_NS.getByName("v1/_/settings");

async function make(secret: string): Promise<void> {
  await account().createToken({
    id: secret,
    name: secret,
    scopes: ["read"],
    sites: ["shop"],
    sha256: hex(await sha256(secret)),
  });
}

async function summaryBy(secret: string): Promise<number> {
  const request = new Request("http://localhost/v1/sites/shop/summary", {
    headers: { authorization: `Bearer ${secret}` },
  });
  return (await exports.default.fetch(request)).status;
}

const RULE = {
  when: { signal: "reqs", window: "1m", op: ">", value: 5 },
  on_missing: "skip",
};
const putRule = (id: string) =>
  call(`/v1/sites/shop/thresholds/${id}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(RULE),
  });

describe("an account that does not answer", () => {
  it("TOKEN-19: configured tokens work all the same; made ones are 503 with Retry-After, and work again after", async () => {
    await make("one");
    const heal = await breakMethods(account(), "credentials");
    expect(await summaryBy("one")).toBe(503);
    expect((await call("/v1/sites/shop/summary")).status).toBe(200);
    await heal();
    await expect.poll(() => summaryBy("one"), { timeout: 10_000 }).toBe(200);
    expect(await summaryBy("nobody")).toBe(401);
  });

  it("AUDIT-7: a change that cannot be recorded is 503 and not made", async () => {
    expect((await putRule("kept")).status).toBe(201);
    const heal = await breakMethods(account(), "startAudit");
    const refused = await putRule("refused");
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    expect((await call("/v1/sites/shop/thresholds/refused")).status).toBe(404);
    await heal();
    expect((await putRule("refused")).status).toBe(201);
  });

  it("AUDIT-8: where only the end is missing the change is answered, and its entry has no status", async () => {
    const heal = await breakMethods(account(), "endAudit");
    expect((await putRule("open")).status).toBe(201);
    await heal();
    const [entry] = await account().audit(undefined, 1, undefined);
    expect(entry).toMatchObject({ action: "threshold.put", site: "shop", target: "open" });
    expect(entry).not.toHaveProperty("status");
  });
});
