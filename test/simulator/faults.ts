/**
 * What goes wrong in a world, and how often: drawn from the seed. Many seeds have one or two kinds of faults, since a rare
 * combination hides behind frequent ones; some have all of them.
 */
import { Draw } from "../../src/simulate/random.ts";

/** Shares of the calls, of the turns of objects, or of the commits that go wrong. */
export interface Rates {
  /** Of the calls: never arrives. */
  requestLost: number;
  /** Of the calls: done, and nobody hears of it. */
  answerLost: number;
  /** Of the calls: arrives twice. */
  duplicated: number;
  /** Of the calls: takes seconds. */
  slow: number;
  /** Of the calls: no answer, and no error for a long time. */
  hangs: number;
  /** Of the calls: refused as overload. */
  overloaded: number;
  /** Of the turns of objects: the object dies right after. */
  crash: number;
  /** Of the turns: evicted when idle. */
  evict: number;
  /** Of the commits: fails, and the object is reset. */
  commitFails: number;
  /** Of the commits: takes long. */
  commitSlow: number;
  /** Of the socket frames: the connection breaks. */
  socketCut: number;
  /** A minute, of each object: its disk is full for a while. */
  diskFull: number;
  /** A minute, of each object: nobody reaches it for a while. */
  down: number;
  /** A minute, of each object and isolate: its clock jumps. */
  clockJump: number;
  /** A minute, of each isolate: it dies. */
  isolateDeath: number;
}

type Kind = keyof Rates;

/** The highest rate of each kind. */
const MOST: Rates = {
  requestLost: 0.2,
  answerLost: 0.2,
  duplicated: 0.2,
  slow: 0.1,
  hangs: 0.05,
  overloaded: 0.2,
  crash: 0.03,
  evict: 0.05,
  commitFails: 0.05,
  commitSlow: 0.2,
  socketCut: 0.1,
  diskFull: 0.5,
  down: 0.5,
  clockJump: 1,
  isolateDeath: 0.7,
};
const KINDS = Object.keys(MOST) as Kind[];

const NONE = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as unknown as Rates;

/** How one call goes. */
export interface CallFate {
  /** Until each delivery; empty = none. */
  arrivesMs: number[];
  answerMs: number;
  /** The caller gets an error after this long instead of the answer. */
  failsMs: number | undefined;
  overloaded: boolean;
}

export class Faults {
  readonly draw: Draw;
  readonly rates: Rates;
  /** False = from now on nothing goes wrong. */
  isOn = true;
  /** True = calls and commits take no time, so that all that is asked is asked of one moment. */
  isInstant = false;

  constructor(seed: number) {
    this.draw = new Draw("faults", seed);
    this.rates = ratesOf(new Draw("rates", seed));
  }

  /** Whether it happens this time. */
  strikes(kind: Kind): boolean {
    return this.isOn && this.rates[kind] > 0 && this.draw.chance(this.rates[kind]);
  }

  latencyMs(): number {
    if (this.isInstant) return 0;
    return 1 + this.draw.int(this.draw.chance(0.1) ? 80 : 8);
  }

  /** Whether an object that is idle is evicted after its turn: no fault, so it happens in calm worlds too. */
  evicts(): boolean {
    return !this.isInstant && this.rates.evict > 0 && this.draw.chance(this.rates.evict);
  }

  /** `isRepeatable`: the platform, or a sender, may bring it twice. */
  ofCall(isRepeatable: boolean): CallFate {
    const arrivesMs = [this.latencyMs()];
    const fate: CallFate = { arrivesMs, answerMs: this.latencyMs(), failsMs: undefined, overloaded: false };
    if (!this.isOn) return fate;
    if (this.strikes("overloaded")) return { ...fate, arrivesMs: [], failsMs: 5, overloaded: true };
    if (this.strikes("slow")) arrivesMs[0] = 500 + this.draw.int(8_000);
    if (this.strikes("requestLost")) return { ...fate, arrivesMs: [], failsMs: this.#noticedMs() };
    if (this.strikes("hangs")) return { ...fate, arrivesMs: [], failsMs: 60_000 };
    // The repeat may come long after its sender has forgotten about it.
    if (isRepeatable && this.strikes("duplicated"))
      arrivesMs.push(this.draw.int(this.draw.chance(0.3) ? 90_000 : 2_000));
    if (this.strikes("answerLost")) return { ...fate, failsMs: this.#noticedMs() };
    return fate;
  }

  ofCommit(): { ms: number; fails: boolean } {
    if (this.isInstant) return { ms: 0, fails: false };
    const ms = this.strikes("commitSlow") ? 20 + this.draw.int(1_000) : 1 + this.draw.int(6);
    return { ms, fails: this.strikes("commitFails") };
  }

  /** Until a caller hears that its connection is gone. */
  #noticedMs(): number {
    return this.draw.chance(0.5) ? 5 + this.draw.int(100) : 1_000 + this.draw.int(25_000);
  }
}

function ratesOf(draw: Draw): Rates {
  const rates = { ...NONE };
  const style = draw.uniform();
  if (style < 0.05) return rates;
  const few = 1 + draw.int(3);
  const kinds = style < 0.6 ? draw.shuffle(KINDS).slice(0, few) : KINDS.filter(() => draw.chance(0.4));
  for (const kind of style > 0.9 ? KINDS : kinds) rates[kind] = MOST[kind] * draw.between(0.05, 1) ** 2;
  return rates;
}
