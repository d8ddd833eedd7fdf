/** Settings as users write them, and what is run of them. */
import { describe, expect, it } from "vitest";
import { SettingsStore } from "../../durable-objects/sql/settings-store.ts";
import { validate } from "../../src/api/validate.ts";
import { DEFAULT_DETECTION } from "../../src/detect/settings.ts";
import { compileDetection, detectionInput, filledDetection } from "../../src/schemas/detection.ts";
import { isSameItem } from "../../src/schemas/item.ts";
import { compileSilence, silenceInput } from "../../src/schemas/silence.ts";
import { MemorySql } from "../support/sqlite.ts";

const NOW = "2026-11-23T12:00:00.000Z";
const LATER = "2026-11-23T13:00:00.000Z";
const TIMES = { created_at: NOW, updated_at: NOW };

describe("detection", () => {
  it("DETAPI-5: nothing written is the defaults, in what is shown and in what is run", () => {
    expect(compileDetection({})).toEqual(DEFAULT_DETECTION);
    expect(compileDetection(validate(detectionInput, filledDetection({})))).toEqual(DEFAULT_DETECTION);
  });

  it("DETAPI-5: durations become ms, what is absent stays the default", () => {
    const written = validate(detectionInput, {
      alert_budget_per_day: 0,
      delay: "2m",
      storm: { per: "1h" },
      kinds: { newcomer: { min_effect: 9 }, family_swarm: { enabled: false } },
    });
    expect(compileDetection(written)).toEqual({
      alertBudgetPerDay: 0,
      delayMs: 120_000,
      storm: { raises: DEFAULT_DETECTION.storm.raises, perMs: 3_600_000 },
      kinds: {
        ...DEFAULT_DETECTION.kinds,
        newcomer: { ...DEFAULT_DETECTION.kinds.newcomer, minEffect: 9 },
        family_swarm: { ...DEFAULT_DETECTION.kinds.family_swarm, enabled: false },
      },
    });
    expect(filledDetection(written).kinds.family_swarm).toMatchObject({ enabled: false });
  });
});

describe("silences", () => {
  it("SILAPI-7: times become ms, what is absent does not narrow", () => {
    const silence = validate(silenceInput, { kinds: ["threshold"], until: LATER, reason: "why" });
    expect(compileSilence({ ...silence, id: "s" })).toEqual({
      ...{ id: "s", ja4: undefined, kinds: ["threshold"], untilMs: Date.parse(LATER), verifiedBots: false },
    });
    const bots = validate(silenceInput, { verified_bots: true, ja4: "t13d*" });
    expect(compileSilence({ ...bots, id: "b" })).toEqual({
      ...{ id: "b", ja4: "t13d*", kinds: undefined, untilMs: undefined, verifiedBots: true },
    });
  });
});

describe("the store", () => {
  const silence = (id: string, reason = "why") => ({ id, ja4: "t13d*", reason });
  const NO_OTHERS = { thresholds: [], webhooks: [], detection: {} };

  it("DOC-3: an item is the same whatever the order of its members, and its times do not count", () => {
    const held = { ja4: "t13d*", ...TIMES, id: "s", reason: "why" };
    expect(isSameItem(held, silence("s"))).toBe(true);
    expect(isSameItem(held, { ...silence("s"), reason: undefined } as { id: string })).toBe(false);
    expect(isSameItem(held, silence("s", "other"))).toBe(false);
  });

  it("DOC-3: a document takes one revision for what differs, and none when nothing does", () => {
    const store = new SettingsStore(new MemorySql());
    const first = { ...NO_OTHERS, silences: [silence("a"), silence("b"), silence("c")] };
    expect([store.replaceAll(first, NOW), store.revision]).toEqual([true, 1]);
    expect([store.replaceAll(structuredClone(first), LATER), store.revision]).toEqual([false, 1]);
    const second = { ...NO_OTHERS, silences: [silence("b", "new"), silence("c"), silence("d")] };
    expect([store.replaceAll(second, LATER), store.revision]).toEqual([true, 2]);
    expect(store.items("silences")).toEqual([
      { revision: 2, body: { ...silence("b", "new"), created_at: NOW, updated_at: LATER } },
      { revision: 1, body: { ...silence("c"), ...TIMES } },
      { revision: 2, body: { ...silence("d"), created_at: LATER, updated_at: LATER } },
    ]);
    // Defaults written out are no change either.
    const defaults = { ...second, detection: filledDetection({}) };
    expect([store.replaceAll(defaults, LATER), store.revision]).toEqual([false, 2]);
    expect(store.replaceAll({ ...second, detection: { delay: "1m" } }, LATER)).toBe(true);
    expect(store.all()).toMatchObject({ revision: 3, detection: { delay: "1m" } });
  });

  it("DOC-4: a write that fails leaves all as it was", () => {
    const store = new SettingsStore(new MemorySql());
    store.replaceAll({ ...NO_OTHERS, silences: [silence("a")] }, NOW);
    const before = store.all();
    const unwritable = { ...silence("z"), reason: 1n as unknown as string };
    expect(() => store.replaceAll({ ...NO_OTHERS, silences: [silence("b"), unwritable] }, LATER)).toThrow();
    expect(store.all()).toEqual(before);
  });

  it("DOC-9: without the table of silences there are none, and the first write makes it", () => {
    const storage = new MemorySql();
    const store = new SettingsStore(storage);
    expect([store.count("silences"), store.items("silences"), store.item("silences", "a")]).toEqual([
      ...[0, [], undefined],
    ]);
    store.put("silences", { ...silence("a"), ...TIMES });
    expect(new SettingsStore(storage).items("silences").map(({ body }) => body.id)).toEqual(["a"]);
    // Code that knows fewer tables opens it all the same.
    expect(storage.sql.exec("SELECT name FROM migrations ORDER BY id").toArray()).toEqual([
      ...[{ name: "meta" }, { name: "thresholds" }],
    ]);
    expect(() => store.count("meta" as "silences")).toThrow("not known");
  });
});
