/**
 * What `npm run evaluate` tries the detectors on. Written down before any result was looked at; a change after that is a
 * change of the question and is told in docs/evaluation.md. Rates are requests a minute, times are minutes, shares 0 … 1,
 * unless the name says otherwise. The scenarios and sizes are those of the project's list of attacks and harmless events;
 * where it leaves a number open, the number here is our choice.
 */

/** Tuning may look at the first, reports come from the second; no number is in both. */
export const SEEDS = {
  train: { quiet: [101, 102], attacks: [111, 112], controls: [121], power: [131], calibration: [141] },
  test: { quiet: [901, 902], attacks: [911, 912], controls: [921], power: [931], calibration: [941] },
} as const;

export const BACKGROUND = {
  /** Volumes by Zipf's law with exponent 1; so much a fingerprint on average, none above the last. */
  reqsPerFingerprint: 1,
  rateMax: 2_000,
  /** Half the swing between night and evening, UTC hour of the peak, and what a Saturday or Sunday has of a weekday. */
  dailySwing: 0.5,
  peakHour: 19,
  weekendLevel: 0.7,
  /** Variance of a minute's rate over the square of its mean: evenly in 0 … this, a number for each fingerprint. */
  phiMax: 0.3,
  /** Slow wandering of the level: standard deviation of its logarithm, half-life. */
  drift: { sd: 0.15, halfLifeMinutes: 60 },
  /** Requests of a session, and the share of them that falls into the next minute. */
  session: { browser: 13, script: 3, app: 5, crawler: 8, monitor: 1 },
  spillShare: 0.35,
  /** Weights of the families among the fingerprints. */
  families: {
    chromium: 45,
    safari: 10,
    firefox: 10,
    http3: 8,
    python: 7,
    go: 5,
    tool: 6,
    app: 4,
    crawler: 3,
    monitor: 2,
  },
  /** Scatter of a fingerprint's own ratios about its family's, logits; beta size of errors from minute to minute. */
  ratioScatter: 0.5,
  errorSize: 60,
  /** Local ratios of each family (h2h3 follows the fingerprint): heuristic, browser, bot, cache, error. */
  ratios: {
    browser: [0.001, 0.95, 0.05, 0.45, 0.02],
    script: [0.1, 0.02, 0.95, 0.08, 0.04],
    app: [0.002, 0.03, 0.2, 0.02, 0.02],
    crawler: [0.01, 0.02, 0.99, 0.1, 0.05],
    monitor: [0.02, 0.02, 0.95, 0.02, 0.005],
  },
  /** Cacheable share of an API-only site. */
  apiOnlyCache: 0.002,
  /** Different values that sessions (ip, ua) and requests (path) draw from by Zipf's law; ip: times the rate an hour. */
  pools: {
    browser: { ua: 40, path: 500, ipTimes: 20 },
    script: { ua: 2, path: 60, ipTimes: 0.05 },
    app: { ua: 6, path: 12, ipTimes: 20 },
    crawler: { ua: 1, path: 2_000, ipTimes: 0.05 },
    monitor: { ua: 1, path: 2, ipTimes: 0 },
  },
  /** Fingerprints born and gone a day, as a share of all; how long they stay, hours. */
  turnover: { shareADay: 0.1, staysHours: 6 },
  /** Of the real-count half: share that follows a day of an hourly series with a minute's texture; the rest: bins as minutes. */
  bootstrap: { hourlyShare: 0.5, textureBlockMinutes: 60, binBlockMinutes: 120, multiplierMax: 20 },
} as const;

/**
 * Attack-free days, one tick a minute: for each alert budget (raises a day that a site may have at most) a site of its own.
 * `full` is what a machine does in an hour; `long` is what the promise of 0.1 a day asks for.
 */
export const QUIET = {
  warmUpHours: 3,
  full: [
    { budgetPerDay: 0.1, fingerprints: 10_000, days: 10 },
    { budgetPerDay: 1, fingerprints: 10_000, days: 7 },
    { budgetPerDay: 10, fingerprints: 20_000, days: 7 },
  ],
  long: [
    { budgetPerDay: 0.1, fingerprints: 10_000, days: 60 },
    { budgetPerDay: 1, fingerprints: 20_000, days: 7 },
    { budgetPerDay: 10, fingerprints: 100_000, days: 7 },
  ],
  quick: [{ budgetPerDay: 10, fingerprints: 300, days: 0.125 }],
} as const;

/** Attacks, through the real window, a tick every 5 s. */
export const ATTACKS = {
  full: { fingerprints: 300, hours: 9, repeats: 20 },
  quick: { fingerprints: 60, hours: 2.6, repeats: 2 },
  warmUpHours: 2.25,
  /** Base rates of the fingerprints that turn bad. */
  baseRates: [1, 5, 20],
  /** A raise so long after the end still belongs to the attack. */
  graceMinutes: 2,
} as const;

/** Each attack: requests a second, how long, and what its requests look like (shares of them). */
export const SCENARIOS = {
  stuffing_loud: { times: 20, floor: 120, minutes: 5, error: 0.97, newIp: 1, newUa: 0, newPath: 0 },
  stuffing_spread: { times: 5, floor: 60, minutes: 15, error: 0.97, newIp: 0.85, newUa: 0, newPath: 0 },
  slow_low: { times: 1.2, floor: 0, minutes: 120, error: 0.3, newIp: 0.6, newUa: 0, newPath: 0 },
  scraping: { times: 4, floor: 90, minutes: 10, error: 0.02, newIp: 0.01, newUa: 0, newPath: 0.95 },
  flood: { times: 200, floor: 3_000, minutes: 2, error: 0.1, newIp: 0.2, newUa: 0, newPath: 1 },
  vulnerability_scan: { times: 3, floor: 240, minutes: 3, error: 0.97, newIp: 0, newUa: 0, newPath: 0.98 },
  ua_rotation: { times: 3, floor: 150, minutes: 5, error: 0.02, newIp: 0.3, newUa: 0.6, newPath: 0.02 },
  impostor: { times: 5, floor: 300, minutes: 5, error: 0.02, newIp: 0.1, newUa: 0, newPath: 0.05 },
  ja4_randomised: { times: 0, floor: 240, minutes: 5, error: 0.02, newIp: 1, newUa: 1, newPath: 1 },
  newcomer_flood: { times: 0, floor: 600, minutes: 3, error: 0.05, newIp: 0.3, newUa: 0, newPath: 0.1 },
} as const;

/** Harmless events, each on a site of its own beside the same site without it. One tick a minute. */
export const CONTROLS = {
  full: { fingerprints: 4_000, hoursBefore: 4, hoursAfter: 2 },
  quick: { fingerprints: 200, hoursBefore: 2.5, hoursAfter: 0.5 },
  flashCrowd: { times: 10, minutes: 30, riseMinutes: 3 },
  release: { shareOfBrowsers: 0.22, hours: 24 },
  deploy: { errorShare: 0.4, minutes: 5 },
  cachePurge: { cacheTimes: 0.1, minutes: 20 },
  recrawl: { times: 30, minutes: 60, newPathShare: 0.9 },
  weekendLevel: 0.4,
  clockShiftHours: 1,
} as const;

/** Recall against size and base rate: a rise of so many minutes and nothing else. */
export const POWER = {
  sizes: [1.2, 1.5, 2, 3, 5, 10, 20, 50, 100],
  rates: [0.1, 1, 10, 100, 1_000],
  minutes: 10,
  full: { repeats: 20 },
  quick: { repeats: 1, sizes: [3, 20], rates: [1, 10] },
  warmUpHours: 2.25,
  gapMinutes: 15,
} as const;

/**
 * Lasting rises: recall against size and rate, once by fingerprints whose level wanders as BACKGROUND.drift says and once by
 * steady ones. Each rises once, at a random time after the warm-up.
 */
export const SLOW = {
  sizes: [1.05, 1.1, 1.2, 1.5, 2, 3],
  rates: [10, 100, 1_000],
  hours: 6,
  warmUpHours: 30,
  spreadHours: 24,
  full: { repeats: 7, copies: 3 },
  quick: { repeats: 1, copies: 1 },
} as const;

/** The same sites with one step of the engine left out. */
export const ABLATIONS = {
  warmUpHours: 3,
  full: { fingerprints: 2_000, quietHours: 27, crowdHours: 6 },
  quick: { fingerprints: 60, quietHours: 3, crowdHours: 3 },
} as const;

/** How often p is at most α on quiet traffic. */
export const CALIBRATION = {
  alphas: [1e-2, 1e-3, 1e-4, 1e-5, 1e-6],
  full: { fingerprints: 1_500, hours: 48 },
  quick: { fingerprints: 100, hours: 3 },
} as const;
