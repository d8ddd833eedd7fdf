/**
 * A site on which nothing is wrong, made as tallies: a minute of a fingerprint costs some tens of nanoseconds when it is
 * silent. What happens to the site as a whole (the harmless events) comes in as `Weather`.
 */
import { BACKGROUND } from "../../../evaluation/parameters.ts";
import { MINUTE_MS } from "../../../src/config.ts";
import {
  FACTS,
  NEW_IPS,
  NEW_PATHS,
  NEW_UAS,
  REQS,
  TALLY_WIDTH,
  type Tally,
  WITHOUT_SIGNALS,
} from "../../../src/window/tally.ts";
import { RATIO_INDEX, RATIOS } from "../../../src/wire/flags.ts";
import { Dice } from "./dice.ts";
import { levelAt, type Member, membersOf, type SiteOptions, turnOver } from "./members.ts";
import { noveltyShare } from "./novelty.ts";
import { Readings } from "./readings.ts";

/** What happens to everybody. All of it optional: no member = as usual. */
export interface Weather {
  /** Times the usual requests. */
  level?(member: Member, minute: number): number;
  /** The hour of the day that people live by, minutes away from the clock's. */
  shiftMinutes?(minute: number): number;
  /** Share of errors on top of the usual, and what the cache's share is multiplied by. */
  errors?(minute: number): number;
  cacheTimes?(minute: number): number;
  /** Share of requests for paths that the hour has not seen, at least. */
  newPaths?(member: Member, minute: number): number;
  /** Cloudflare's signals do not come. */
  isWithoutSignals?(minute: number): boolean;
}

/** Below so many expected sessions the gamma noise of a minute is lost in theirs (φ·m² against m). */
const NOISE_MIN = 0.05;
const DRIFT_EVERY_MINUTES = 10;
const DRIFT_KEEPS = 2 ** (-DRIFT_EVERY_MINUTES / BACKGROUND.drift.halfLifeMinutes);
/** What is one for a whole session, and what differs from request to request. */
const BY_SESSION = ["h2h3", "heuristic", "browser", "bot"] as const;

export class QuietSite {
  readonly members: Member[];
  readonly readings: Readings;
  readonly #dice: Dice;
  readonly #options: SiteOptions;
  readonly #weather: Weather;
  readonly #startMinute: number;
  readonly #tally: Tally = new Uint32Array(TALLY_WIDTH);
  #sessions = 0;

  /** `startMinute`: minute since the epoch that comes first. */
  constructor(
    options: SiteOptions,
    startMinute: number,
    weather: Weather = {},
    more: readonly Member[] = [],
  ) {
    this.#options = options;
    this.#weather = weather;
    this.#startMinute = startMinute;
    this.#dice = new Dice(options.seed, "quiet");
    this.members = [...membersOf(options, this.#dice), ...more];
    this.readings = new Readings(this.members);
  }

  /** Lives one minute; `take` sees the tally of each fingerprint with a request (valid until it returns) and the time of the first. */
  step(minute: number, take?: (fp: number, tally: Tally, firstMs: number) => void): void {
    const { readings } = this;
    readings.begin(minute);
    const age = minute - this.#startMinute;
    const usual = levelAt(minute + (this.#weather.shiftMinutes?.(minute) ?? 0));
    for (let fp = 0; fp < this.members.length; fp++) {
      const member = this.members[fp]!;
      if (age % DRIFT_EVERY_MINUTES === 0 && member.isSteady !== true) this.#drift(member);
      const isGone = age >= member.goneMinute;
      if (isGone) turnOver(member, age, this.#dice, this.#options);
      const reqs = isGone ? 0 : this.#requests(member, minute, usual);
      if (reqs === 0) continue;
      this.#fill(member, fp, reqs, minute);
      const firstMs = minute * MINUTE_MS + 1 + this.#dice.int(MINUTE_MS / 2);
      take?.(fp, this.#tally, firstMs);
      readings.add(fp, this.#tally, firstMs);
    }
  }

  #drift(member: Member): void {
    const { sd } = BACKGROUND.drift;
    member.drift =
      DRIFT_KEEPS * member.drift + Math.sqrt(1 - DRIFT_KEEPS * DRIFT_KEEPS) * sd * this.#dice.normal();
  }

  /** Requests of the minute, and in `#sessions` how many sessions they are of. */
  #requests(member: Member, minute: number, usual: number): number {
    const dice = this.#dice;
    const level = this.#weather.level?.(member, minute) ?? 1;
    const size = BACKGROUND.session[member.group];
    if (member.real !== undefined) {
      const reqs = dice.poisson(member.rate * level * member.real.at(minute));
      this.#sessions = reqs === 0 ? 0 : Math.max(1, dice.round(reqs / size));
      return reqs;
    }
    if (member.group === "monitor") {
      this.#sessions = dice.round(member.rate * level);
      return this.#sessions;
    }
    let mean = (member.rate * level * usual * Math.exp(member.drift)) / size;
    if (mean > NOISE_MIN && member.phi > 0) mean *= dice.gamma(1 / member.phi) * member.phi;
    const sessions = dice.poisson(mean);
    this.#sessions = sessions;
    if (sessions === 0 && member.spill === 0) return 0;
    const all = sessions + dice.poisson(sessions * (size - 1));
    const later = dice.binomial(all, BACKGROUND.spillShare);
    const reqs = all - later + member.spill;
    member.spill = later;
    return reqs;
  }

  #fill(member: Member, fp: number, reqs: number, minute: number): void {
    const tally = this.#tally;
    const dice = this.#dice;
    const weather = this.#weather;
    tally.fill(0);
    tally[REQS] = reqs;
    for (let ratio = 0; ratio < RATIOS.length; ratio++) tally[FACTS + 2 * ratio] = reqs;
    const sessions = Math.max(this.#sessions, 1);
    for (const name of BY_SESSION) {
      const yes = dice.binomial(sessions, member.ratios[RATIO_INDEX[name]]!) / sessions;
      tally[FACTS + 2 * RATIO_INDEX[name] + 1] = Math.round(yes * reqs);
    }
    const cache = member.ratios[RATIO_INDEX.cache]! * (weather.cacheTimes?.(minute) ?? 1);
    tally[FACTS + 2 * RATIO_INDEX.cache + 1] = dice.binomial(reqs, cache);
    const error = dice.beta(member.ratios[RATIO_INDEX.error]!, BACKGROUND.errorSize);
    tally[FACTS + 2 * RATIO_INDEX.error + 1] = dice.binomial(
      reqs,
      Math.min(error + (weather.errors?.(minute) ?? 0), 1),
    );
    const blind = weather.isWithoutSignals?.(minute) === true;
    if (member.global === undefined || blind) tally[WITHOUT_SIGNALS] = reqs;
    this.#novel(member, fp, reqs, minute);
  }

  #novel(member: Member, fp: number, reqs: number, minute: number): void {
    const tally = this.#tally;
    const pools = BACKGROUND.pools[member.group];
    const size = BACKGROUND.session[member.group];
    const before = this.readings.hourReqs(fp);
    const sessions = Math.min(this.#sessions, reqs);
    const sessionsBefore = before / size + sessions / 2;
    const addresses = 1 + (pools.ipTimes * member.rate * 60) / size;
    tally[NEW_UAS] = this.#dice.binomial(sessions, noveltyShare(pools.ua, sessionsBefore));
    tally[NEW_IPS] = this.#dice.binomial(sessions, noveltyShare(addresses, sessionsBefore));
    const walk = this.#weather.newPaths?.(member, minute) ?? 0;
    const paths = Math.max(noveltyShare(pools.path, before + reqs / 2), walk);
    tally[NEW_PATHS] = this.#dice.binomial(reqs, paths);
    if (!this.readings.isNew(fp)) return;
    for (const column of [NEW_UAS, NEW_PATHS, NEW_IPS]) tally[column] = Math.max(tally[column]!, 1);
  }
}
