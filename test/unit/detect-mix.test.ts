/** cache_bust, ip_spread, bot_shift, family_swarm: what each is for, and what looks like it and is harmless. */
import { describe, expect, it } from "vitest";
import { familySwarm } from "../../src/detect/kinds/family-swarm.ts";
import { DEFAULT_KIND_SETTINGS } from "../../src/detect/settings.ts";
import type { KindName, KindSettings } from "../../src/detect/types.ts";
import { type Running, raisedBy, type ScriptedMinute, ScriptedSite } from "../support/scripted-site.ts";

const NOW = 140;
/** Browsers: half of the requests cacheable, a visit of a dozen requests an address, no bots. */
const BROWSER: ScriptedMinute = { reqs: 60, newIps: 5, newPaths: 2, yes: { cache: 30, bot: 0, error: 1 } };

function shop(until = NOW + 1, browser = BROWSER): ScriptedSite {
  const site = new ScriptedSite();
  for (let i = 0; i < 10; i++) site.steady(`b${i}`, 0, until, browser);
  return site;
}

/** A client that was like `usually` for two hours and is like `now` in the last minute. */
const turning = (usually: ScriptedMinute, now: ScriptedMinute, site = shop()) =>
  site.steady("f", 0, NOW, usually).put("f", NOW, now);
const onlyOf = (kind: KindName, site: ScriptedSite) =>
  raisedBy(site.tick(NOW)).filter((what) => what.startsWith(`${kind} `));

describe("cache_bust", () => {
  const bust: ScriptedMinute = { ...BROWSER, newPaths: 40, yes: { ...BROWSER.yes, cache: 1 } };

  it("CBUST-1: raises an uncacheable turn with new paths, or with twice the volume", () => {
    expect(onlyOf("cache_bust", turning(BROWSER, bust))).toEqual(["cache_bust f"]);
    const loud = { ...bust, reqs: 150, newPaths: 2 };
    expect(onlyOf("cache_bust", turning(BROWSER, loud))).toEqual(["cache_bust f"]);
    const said = turning(BROWSER, bust).tick(NOW).episodes.get("cache_bust f")?.last;
    expect(said?.observed).toBeCloseTo(59 / 60);
    expect(said?.expected).toBeCloseTo(0.5, 1);
    expect(said?.because[0]?.local).toBeCloseTo(1 / 60);
    expect(said?.summary).toBe("98 % of 60 requests in a minute cannot be cached where 50 % is usual");
  });

  it("CBUST-2: keeps quiet without new paths or volume, and when nothing is known", () => {
    expect(onlyOf("cache_bust", turning(BROWSER, { ...bust, newPaths: 2 }))).toEqual([]);
    expect(onlyOf("cache_bust", turning({ reqs: 60 }, { reqs: 200, newPaths: 150 }))).toEqual([]);
  });

  it("CBUST-2: keeps quiet about a purge that meets everyone, and about an API client", () => {
    const purge = turning(BROWSER, bust);
    for (let i = 0; i < 10; i++) purge.put(`b${i}`, NOW, bust);
    expect(onlyOf("cache_bust", purge)).toEqual([]);
    expect(onlyOf("cache_bust", turning(bust, { ...bust, reqs: 200 }))).toEqual([]);
  });
});

describe("ip_spread", () => {
  const spread: ScriptedMinute = { ...BROWSER, newIps: 51 };

  it("IPS-1: raises 1.18 requests an address, by a known client and by a newborn", () => {
    const site = turning(BROWSER, spread);
    expect(onlyOf("ip_spread", site)).toEqual(["ip_spread f"]);
    const said = site.tick(NOW).episodes.get("ip_spread f")?.last;
    expect(said?.observed).toBe(51);
    expect(said?.expected).toBeCloseTo(5, 0);
    expect(said?.because.map(({ signal }) => signal)).toEqual(["new_ips", "reqs_per_new_ip"]);
    expect(said?.because[1]?.local).toBeCloseTo(1.18, 2);
    expect(onlyOf("ip_spread", shop().put("f", NOW, spread))).toEqual(["ip_spread f"]);
  });

  it("IPS-2: keeps quiet about a flash crowd of browsers, each address with its visit", () => {
    const crowd = shop();
    for (let i = 0; i < 10; i++) crowd.put(`b${i}`, NOW, { ...BROWSER, reqs: 600, newIps: 90 });
    expect(onlyOf("ip_spread", crowd)).toEqual([]);
  });

  it("IPS-2: keeps quiet about who always does it, about fewer addresses, and where none are known", () => {
    expect(onlyOf("ip_spread", turning(spread, spread))).toEqual([]);
    expect(onlyOf("ip_spread", turning(spread, BROWSER))).toEqual([]);
    expect(onlyOf("ip_spread", turning({ reqs: 60 }, { reqs: 600 }))).toEqual([]);
    // Addresses begin to be known, for everyone: no one spreads.
    const site = shop(NOW, { reqs: 60 });
    for (let i = 0; i < 10; i++) site.put(`b${i}`, NOW, spread);
    expect(onlyOf("ip_spread", turning({ reqs: 60 }, spread, site))).toEqual([]);
  });
});

describe("bot_shift", () => {
  const share = (bot: number, reqs = 60): ScriptedMinute => ({ ...BROWSER, reqs, yes: { bot } });

  it("BSH-1: raises a browser's stack that a tool took over, and a bot that says so no more", () => {
    expect(onlyOf("bot_shift", turning(share(0), share(55)))).toEqual(["bot_shift f"]);
    const fallen = turning(share(400, 400), share(0, 400));
    expect(onlyOf("bot_shift", fallen)).toEqual(["bot_shift f"]);
    const said = fallen.tick(NOW).episodes.get("bot_shift f")?.last;
    expect(said?.observed).toBe(0);
    expect(said?.expected).toBeGreaterThan(0.7);
    expect(said?.low).toBeLessThanOrEqual(said?.expected ?? 0);
    expect(said?.high).toBeGreaterThanOrEqual(said?.expected ?? 1);
  });

  it("BSH-2: keeps quiet about a recrawl, a test driver's visit, and where nothing is known", () => {
    expect(onlyOf("bot_shift", turning(share(60), share(900, 900)))).toEqual([]);
    expect(onlyOf("bot_shift", turning(share(0), share(13)))).toEqual([]);
    expect(onlyOf("bot_shift", turning({ reqs: 60 }, { reqs: 900 }))).toEqual([]);
  });

  it("BSH-3: a bot that rarely comes is known by its own few requests, not by its neighbours, when it comes loudly", () => {
    const rare = shop();
    for (let minute = 0; minute < NOW; minute += 3) rare.put("f", minute, share(1, 1));
    expect(onlyOf("bot_shift", rare.put("f", NOW, share(90, 90)))).toEqual([]);
    const browser = shop();
    for (let minute = 0; minute < NOW; minute += 3) browser.put("f", minute, share(0, 1));
    expect(onlyOf("bot_shift", browser.put("f", NOW, share(90, 90)))).toEqual(["bot_shift f"]);
  });

  it("BSH-2: keeps quiet when everyone is classified anew", () => {
    const site = turning(share(0), share(55));
    for (let i = 0; i < 10; i++) site.put(`b${i}`, NOW, share(55));
    expect(onlyOf("bot_shift", site)).toEqual([]);
  });
});

describe("family_swarm", () => {
  const hex = (n: number) => n.toString(16).padStart(12, "0");
  const shuffled = (i: number) => `t13d1513h2_8daaf6152771_${hex(i)}`;
  const GLOB = "t13d1513h2_8daaf6152771_*";
  const swarm = (site: ScriptedSite, from: number, until: number, perMinute = 60, name = shuffled) => {
    for (let minute = from; minute < until; minute++)
      for (let i = 0; i < perMinute; i++) site.put(name(minute * 1_000 + i), minute, { reqs: 1 });
    return site;
  };

  it("SWARM-1: raises one anomaly under the parts that stay", () => {
    const output = swarm(shop(), NOW, NOW + 1).tick(NOW);
    expect(raisedBy(output)).toEqual([`family_swarm ${GLOB}`]);
    const said = output.episodes.get(`family_swarm ${GLOB}`)?.last;
    expect(said).toMatchObject({ observed: 60, unit: "new fingerprints/min" });
    expect(said?.expected).toBeLessThan(0.1);
    const ciphers = swarm(shop(), NOW, NOW + 1, 60, (i) => `t13d1513h2_${hex(i)}_e7c285222651`);
    expect(raisedBy(ciphers.tick(NOW))).toEqual(["family_swarm t13d1513h2_*_e7c285222651"]);
    const both = swarm(shop(), NOW, NOW + 1, 60, (i) => `t13d1513h2_${hex(i)}_${hex(i + 7)}`);
    expect(raisedBy(both.tick(NOW))).toEqual(["family_swarm t13d1513h2_*_*"]);
  });

  it("SWARM-1: leaves no member to newcomer, and others to it", () => {
    const site = swarm(shop(), NOW, NOW + 1).put(shuffled(7), NOW, { reqs: 600 });
    expect(raisedBy(site.tick(NOW))).toEqual([`family_swarm ${GLOB}`]);
    site.put("t13d1516h2_8daaf6152771_02713d6af862", NOW, { reqs: 600 });
    expect(raisedBy(site.tick(NOW))).toEqual([
      "newcomer t13d1516h2_8daaf6152771_02713d6af862",
      `family_swarm ${GLOB}`,
    ]);
    const off = { ...DEFAULT_KIND_SETTINGS, family_swarm: { enabled: false, minReqs: 20, minEffect: 2 } };
    expect(raisedBy(site.tick(NOW, undefined, off))).toContain(`newcomer ${shuffled(7)}`);
  });

  it("SWARM-2: keeps quiet in the first two hours, and about newborns that stay", () => {
    expect(raisedBy(swarm(shop(), 100, 101).tick(100))).toEqual([]);
    const release = shop();
    for (let i = 0; i < 60; i++) release.put(shuffled(i), NOW, { reqs: 12 });
    expect(raisedBy(release.tick(NOW))).toEqual([]);
  });

  it("SWARM-2: keeps quiet about newborns without a common part, few of them, and as many as usual", () => {
    const mixed = swarm(shop(), NOW, NOW + 1, 60, (i) => `t13d${10 + (i % 60)}13h2_${hex(i)}_${hex(i + 7)}`);
    expect(raisedBy(mixed.tick(NOW))).toEqual([]);
    expect(raisedBy(swarm(shop(), NOW, NOW + 1, 14).tick(NOW))).toEqual([]);
    expect(raisedBy(swarm(shop(), 70, NOW + 1, 30).tick(NOW))).toEqual([]);
    expect(raisedBy(swarm(shop(), NOW, NOW + 1, 60, (i) => `tls:${hex(i)}`).tick(NOW))).toEqual([]);
  });

  it("SWARM-3: one episode for the whole swarm, over when it is over", () => {
    const site = swarm(shop(NOW + 40), NOW, NOW + 15);
    let running: Running = { episodes: new Map(), cleared: new Map() };
    const told: string[] = [];
    for (let minute = NOW; minute < NOW + 30; minute++) {
      const output = site.tick(minute, running);
      running = output;
      for (const { type, episode } of output.events)
        if (type !== "updated") told.push(`${type} ${episode.ja4} ${minute - NOW}`);
    }
    expect(told).toHaveLength(2);
    expect(told[0]).toBe(`raised ${GLOB} 0`);
    expect(told[1]).toMatch(/^cleared t13d1513h2_8daaf6152771_\* (19|20|21)$/);
  });

  it("SWARM-4: a glob covers its parts", () => {
    expect(familySwarm.covers(GLOB, shuffled(3))).toBe(true);
    expect(familySwarm.covers("*_8daaf6152771_*", shuffled(3))).toBe(true);
    expect(familySwarm.covers(GLOB, "t13d1516h2_8daaf6152771_02713d6af862")).toBe(false);
    expect(familySwarm.covers("*_*_*", "tls:00ff")).toBe(false);
  });
});

describe("settings and severity", () => {
  const cases: [KindName, ScriptedMinute][] = [
    ["cache_bust", { ...BROWSER, reqs: 400, newPaths: 300, yes: { cache: 0 } }],
    ["ip_spread", { ...BROWSER, reqs: 400, newIps: 396 }],
    ["bot_shift", { ...BROWSER, reqs: 400, yes: { bot: 396 } }],
  ];
  it.each(cases)("SHIFT-1: %s needs min_reqs and min_effect, and is critical far out", (kind, minute) => {
    const site = turning(BROWSER, minute);
    const raisedWith = (settings: Partial<KindSettings>) => {
      const own = { ...DEFAULT_KIND_SETTINGS[kind], ...settings };
      return raisedBy(site.tick(NOW, undefined, { ...DEFAULT_KIND_SETTINGS, [kind]: own })).includes(
        `${kind} f`,
      );
    };
    expect(raisedWith({})).toBe(true);
    expect(raisedWith({ minReqs: 400 })).toBe(true);
    expect(raisedWith({ minReqs: 401 })).toBe(false);
    expect(raisedWith({ minEffect: 1_000 })).toBe(false);
    expect(raisedWith({ enabled: false })).toBe(false);
    const episode = site.tick(NOW).episodes.get(`${kind} f`);
    expect(["warning", "critical"]).toContain(episode?.severity);
    for (const value of [episode?.last.low, episode?.last.high, episode?.last.score])
      expect(Number.isFinite(value)).toBe(true);
  });
});
