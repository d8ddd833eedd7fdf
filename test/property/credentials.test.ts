/** Any order of tokens made and revoked, outages and time, as several isolates see it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Credentials } from "../../src/api/credentials.ts";
import type { AccountObject, Credential } from "../../src/api/objects.ts";
import { Problem } from "../../src/base/problem.ts";

const ISOLATES = 2;
const TOKENS = 2;
const MINUTE = 60_000;
const digestOf = (token: number) => token.toString(16).padStart(8, "0").repeat(8);

type Step =
  | { act: "make" | "revoke"; token: number; isolate: number }
  | { act: "ask"; token: number; isolate: number }
  | { act: "wait"; ms: number }
  | { act: "turn"; down: boolean };

const token = fc.nat(TOKENS - 1);
const isolate = fc.nat(ISOLATES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ act: fc.constantFrom("make", "revoke"), token, isolate }) },
  { weight: 8, arbitrary: fc.record({ act: fc.constant("ask"), token, isolate }) },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant("wait"),
      ms: fc.constantFrom(1, 900, 5_000, 29_000, 31_000, 56_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("turn"), down: fc.boolean() }) },
) as fc.Arbitrary<Step>;

/** Runs the steps; faults by name. */
async function faultsOf(steps: readonly Step[]): Promise<string[]> {
  const faults: string[] = [];
  const isolates = Array.from({ length: ISOLATES }, () => new Credentials());
  /** Token → since when it is as it is. */
  const valid = new Map<number, number>();
  const revoked = new Map<number, number>();
  const refusedMs = isolates.map((): number[] => []);
  let nowMs = 1_000_000;
  let down = false;
  let revision = 0;
  const account = {
    credentials: async (known: number | undefined) => {
      if (down) throw new Problem(503, "unavailable", "down");
      if (known === revision) return { revision };
      const list = [...valid.keys()].map(
        (id): Credential => ({
          id: String(id),
          scopes: ["read"],
          sites: ["*"],
          secrets: [{ sha256: digestOf(id) }],
        }),
      );
      return { revision, list };
    },
  } as AccountObject;
  for (const one of steps) {
    if (one.act === "wait") nowMs += one.ms;
    else if (one.act === "turn") down = one.down;
    else if (one.act === "make" || one.act === "revoke") {
      if (down || valid.has(one.token) === (one.act === "make")) continue;
      if (one.act === "make") valid.set(one.token, nowMs);
      else {
        valid.delete(one.token);
        revoked.set(one.token, nowMs);
      }
      revision++;
      isolates[one.isolate]!.forget();
    } else {
      const outcome = await isolates[one.isolate]!.find(digestOf(one.token), account, () => nowMs).then(
        (found) => (found === undefined ? 401 : Number(found.credential.id) === one.token ? 200 : 500),
        (error: unknown) => (error instanceof Problem ? error.status : 500),
      );
      const since = valid.get(one.token);
      const wentMs = nowMs - (revoked.get(one.token) ?? nowMs);
      if (outcome === 500) faults.push("another token's owner, or an error of ours");
      if (outcome === 200 && since === undefined && !revoked.has(one.token))
        faults.push("never made, let in");
      if (outcome === 200 && since === undefined && wentMs >= MINUTE)
        faults.push("revoked a minute ago, let in");
      // Only those who ask for what nobody made again and again may have to wait for a new token.
      const recent = refusedMs[one.isolate]!.filter((ms) => ms > nowMs - 11_000).length;
      if (outcome === 401 && since !== undefined && recent < 9) faults.push("valid, 401");
      if (outcome === 401) refusedMs[one.isolate]!.push(nowMs);
    }
  }
  return faults;
}

describe("tokens over several isolates", () => {
  it("TOKEN-22: nothing revoked for 60 s is let in, nothing valid is 401", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 120, size: "max" }), async (steps) => {
        expect(await faultsOf(steps)).toEqual([]);
      }),
      { numRuns: 1_000, seed: 20_261_123 },
    );
  });
});
