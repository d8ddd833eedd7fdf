/** SIM-1…8: the made-up traffic is repeatable, valid, as large as it says, and looks like a shop's. */
import { describe, expect, it } from "vitest";
import { HOUR_MS, MINUTE_MS } from "../../src/config.ts";
import { BROWSERS } from "../../src/simulate/agents.ts";
import { Background, visitsIn } from "../../src/simulate/background.ts";
import { Draw } from "../../src/simulate/random.ts";
import type { ObservationRecord } from "../../src/simulate/record.ts";
import { isActor, SCENARIOS, Show } from "../../src/simulate/show.ts";
import { visitRequests } from "../../src/simulate/visit.ts";
import { parseObservation } from "../../src/wire/observation.ts";

const SEED = 5;
const NOW = Date.UTC(2026, 10, 23, 12, 0, 7);
const TEN_MINUTES = 10 * MINUTE_MS;

const show = (seed = SEED) => {
  const made = new Show({ seed });
  return { made, labels: made.addRound(SCENARIOS, 0, NOW, 55_000) };
};
const share = (records: readonly ObservationRecord[], holds: (record: ObservationRecord) => boolean) =>
  records.filter(holds).length / records.length;

describe("chance", () => {
  it("SIM-1: sfc32 has the moments of each distribution (seed 5)", () => {
    const draw = new Draw(SEED, "moments");
    const mean = (sample: () => number) => {
      let sum = 0;
      for (let i = 0; i < 20_000; i++) sum += sample();
      return sum / 20_000;
    };
    expect(mean(() => draw.uniform())).toBeCloseTo(0.5, 1);
    expect(mean(() => draw.normal() ** 2)).toBeCloseTo(1, 1);
    expect(mean(() => draw.gamma(0.5))).toBeCloseTo(0.5, 1);
    expect(mean(() => draw.gamma(20)) / 20).toBeCloseTo(1, 1);
    expect(mean(() => draw.poisson(3)) / 3).toBeCloseTo(1, 1);
    expect(mean(() => draw.poisson(100)) / 100).toBeCloseTo(1, 1);
    expect(draw.hex(16)).toMatch(/^[0-9a-f]{16}$/);
  });

  it("SIM-1: the same name gives the same stream, another name another one", () => {
    const first = (...keys: (string | number)[]) =>
      Array.from({ length: 8 }, (_, i) => new Draw(...keys, i).uniform());
    expect(first(SEED, "a")).toEqual(first(SEED, "a"));
    expect(first(SEED, "a")).not.toEqual(first(SEED, "b"));
    expect(new Set(first(SEED, "a")).size).toBe(8);
  });
});

describe(`seed ${SEED}: the stream`, () => {
  it("SIM-2: is the same however it is cut, and in whatever order it is asked for", () => {
    const whole = show().made.between(NOW - MINUTE_MS, NOW + 5 * MINUTE_MS);
    const { made } = show();
    const pieces: ObservationRecord[][] = [];
    for (let at = NOW - MINUTE_MS; at < NOW + 5 * MINUTE_MS; at += 7_000) {
      pieces.push(made.between(at, Math.min(at + 7_000, NOW + 5 * MINUTE_MS)));
    }
    expect(pieces.flat()).toEqual(whole);
    expect(made.between(NOW - MINUTE_MS, NOW + 5 * MINUTE_MS)).toEqual(whole);
    expect(show(SEED + 1).made.between(NOW, NOW + MINUTE_MS)).not.toEqual(made.between(NOW, NOW + MINUTE_MS));
  });

  it("SIM-3: is in order, within its bounds, and every record is accepted by the ingest path's own decoder", () => {
    const records = show().made.between(NOW, NOW + TEN_MINUTES);
    expect(records.length).toBeGreaterThan(8_000);
    let before = NOW;
    for (const record of records) {
      expect(record.timestamp).toBeGreaterThanOrEqual(before);
      before = record.timestamp;
      const parsed = parseObservation(JSON.parse(JSON.stringify(record)), NOW + TEN_MINUTES);
      if ("expired" in parsed) throw new Error(JSON.stringify({ parsed, record }));
    }
    expect(before).toBeLessThan(NOW + TEN_MINUTES);
  });
});

describe(`seed ${SEED}: the background`, () => {
  const background = new Background({ seed: SEED, dailySwing: 0 });
  const records = background.between(NOW - HOUR_MS, NOW);

  it("SIM-4: sends about as much as it was asked for, by Zipf's law, a visit as many requests as it says", () => {
    expect(records.length / 60 / 1_200).toBeGreaterThan(0.9);
    expect(records.length / 60 / 1_200).toBeLessThan(1.1);
    expect(background.clients.length).toBe(150);
    expect(new Set(background.clients.map(({ ja4 }) => ja4)).size).toBe(150);
    const volumes = background.clients.map(({ reqsPerMinute }) => reqsPerMinute);
    expect(volumes[0]! / volumes[9]!).toBeCloseTo(10, 5);
    const chrome = background.clients[0]!;
    const reqs = Array.from({ length: 600 }, (_, minute) => visitsIn(chrome, minute, SEED, 1).length);
    const mean = reqs.reduce((sum, count) => sum + count, 0) / reqs.length;
    expect(mean / chrome.reqsPerMinute).toBeGreaterThan(0.95);
    expect(mean / chrome.reqsPerMinute).toBeLessThan(1.05);
    expect(visitRequests("monitor")).toBe(1);
  });

  it("SIM-4: follows the day: more in the evening than at night", () => {
    const daily = new Background({ seed: SEED, dailySwing: 0.5 });
    const hour = (at: number) =>
      daily.between(Date.UTC(2026, 10, 23, at), Date.UTC(2026, 10, 23, at, 20)).length;
    expect(hour(19)).toBeGreaterThan(2 * hour(7));
  });

  it("SIM-5: has a shop's shares", () => {
    const within = (value: number, low: number, high: number) => {
      expect(value).toBeGreaterThan(low);
      expect(value).toBeLessThan(high);
    };
    within(
      share(records, ({ ja4 }) => ja4 === undefined),
      0.005,
      0.03,
    );
    within(
      share(records, ({ status }) => status >= 400),
      0.005,
      0.04,
    );
    within(
      share(records, ({ http_protocol }) => http_protocol === "HTTP/1.1"),
      0.05,
      0.3,
    );
    within(
      share(records, ({ http_protocol }) => http_protocol === "HTTP/3"),
      0.05,
      0.35,
    );
    within(
      share(records, ({ client_ip }) => client_ip.includes(":")),
      0.25,
      0.45,
    );
    within(
      share(records, ({ verified_bot }) => verified_bot),
      0.002,
      0.1,
    );
    within(
      share(records, ({ bot_score }) => bot_score >= 30),
      0.5,
      0.9,
    );
    expect(new Set(records.map(({ ray_id }) => ray_id)).size).toBe(records.length);
  });

  it("SIM-5: nobody's networks and addresses: only those kept for documentation and tests", () => {
    for (const { asn, client_ip } of records) {
      expect((asn >= 64_496 && asn <= 64_511) || (asn >= 65_536 && asn <= 65_551)).toBe(true);
      expect(client_ip).toMatch(/^(198\.1[89]\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|2001:db8:)/);
    }
  });

  it("SIM-6: each fingerprint speaks the protocol that it names, and the world's signals fit its family", () => {
    const byJa4 = Map.groupBy(records, ({ ja4 }) => ja4 ?? "");
    let judged = 0;
    for (const client of background.clients) {
      const own = byJa4.get(client.ja4) ?? [];
      if (own.length < 300) continue;
      judged++;
      expect(
        Math.abs(share(own, ({ http_protocol }) => http_protocol !== "HTTP/1.1") - client.h2h3),
      ).toBeLessThan(0.1);
      const world = client.signals?.browser_ratio_1h;
      if (world !== undefined) expect(world > 0.8).toBe(BROWSERS.includes(client.family));
    }
    expect(judged).toBeGreaterThan(20);
  });

  it("SIM-6: signals are partial, and ranks and quantiles agree on one population of about 900,000", () => {
    const signals = background.clients.flatMap(({ signals }) => (signals === undefined ? [] : [signals]));
    const missing =
      1 - signals.reduce((sum, one) => sum + Object.keys(one).length, 0) / (10 * signals.length);
    expect(missing).toBeGreaterThan(0.1);
    expect(missing).toBeLessThan(0.25);
    for (const { reqs_rank_1h: rank, reqs_quantile_1h: quantile } of signals) {
      if (rank !== undefined && quantile !== undefined)
        expect(rank / (1 - quantile) / 901_772).toBeCloseTo(1, 2);
    }
  });
});

describe(`seed ${SEED}: the scenes`, () => {
  it("SIM-7: say when, who and what is expected, and keep to it", () => {
    const { made, labels } = show();
    for (const [i, label] of labels.entries()) {
      expect(label.startMs).toBe(NOW + i * 55_000);
      expect(label.endMs).toBeGreaterThan(label.startMs);
      expect(label.sentence).toMatch(/^\S.{20,140}[^.]$/);
      expect(label.expects.filter((kind) => label.also.includes(kind))).toEqual([]);
      if (label.expects.length === 0) expect(label.note).toBeDefined();
    }
    const background = new Background({ seed: SEED });
    const own = (from: number, to: number) => {
      const usual = new Set(background.between(from, to).map(({ ray_id }) => ray_id));
      return made.between(from, to).filter(({ ray_id }) => !usual.has(ray_id));
    };
    expect(own(NOW - MINUTE_MS, NOW)).toEqual([]);
    for (const { timestamp, ja4 } of own(NOW, NOW + TEN_MINUTES)) {
      const actors = labels.filter(({ startMs, endMs }) => timestamp >= startMs && timestamp < endMs);
      if (ja4 !== undefined)
        expect(
          actors.some((label) => isActor(label, ja4)),
          ja4,
        ).toBe(true);
    }
  });

  it("SIM-8: four rounds in an hour have other attackers each; a new browser is new", () => {
    const made = new Show({ seed: SEED });
    const attacks = SCENARIOS.map((_, round) => made.addRound(SCENARIOS, round, NOW, 1_000)).slice(0, 4);
    const actors = attacks
      .flat()
      .filter(({ expects }) => expects.length > 0)
      .flatMap(({ ja4 }) => ja4);
    expect(new Set(actors).size).toBe(actors.length);
    const known = made.background.clients.map(({ ja4 }) => ja4);
    for (const label of attacks.flat().filter(({ scene }) => scene === "release" || scene === "randomised")) {
      expect(known.some((ja4) => isActor(label, ja4))).toBe(false);
    }
  });
});
