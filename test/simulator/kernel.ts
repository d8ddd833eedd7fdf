/**
 * Virtual time: a queue of events, each one turn of some context. Between two events all microtasks run, so a turn is what
 * one event sets going until nothing of it can go on without another event. Everything that crosses contexts is an event:
 * that makes a run repeatable, and lets a dead context be silenced by not running its events any more.
 *
 * The idea is FoundationDB's simulation (Zhou et al., SIGMOD 2021, §4).
 */
import { Draw } from "../../src/simulate/random.ts";

/** Somebody whose code runs: an object's incarnation, a request in an isolate, a client. */
export class Context {
  readonly name: string;
  /** Timers and calls that its code waits for. */
  waiting = 0;
  #isAlive = true;

  constructor(name: string) {
    this.name = name;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Its clock's distance from true time, ms. */
  get skewMs(): number {
    return 0;
  }

  /** From now on none of its events runs. */
  die(): void {
    this.#isAlive = false;
  }

  /** Lets something leave the context, unless it is dead; objects hold it until what they wrote before is durable. */
  output(send: () => void): void {
    if (this.isAlive) send();
  }

  /** Called after each of its turns. */
  endTurn(): void {}
}

export interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly context: Context;
  readonly label: string;
  /** Absent = cancelled. */
  action: (() => void) | undefined;
}

/** FNV-1a, 32 bits. */
function mixText(hash: number, text: string): number {
  let mixed = hash;
  for (let i = 0; i < text.length; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), 0x01000193);
  return mixed >>> 0;
}

export class Kernel {
  nowMs: number;
  /** Whose turn it is. */
  current: Context;
  /** Chance for the code's own randomness, apart from that of the faults. */
  readonly draw: Draw;
  /** Events so far. */
  events = 0;
  /** Of everything that happened: two runs with the same number did the same. */
  hash = 0x811c9dc5;
  /** Told every event and note; `undefined` = nobody looks. */
  trace: ((line: string) => void) | undefined;
  /** Called after the turn of an object or isolate: the place for a crash. */
  afterTurn: ((context: Context) => void) | undefined;
  /** What went wrong and nobody caught. */
  readonly uncaught: unknown[] = [];
  readonly #world = new Context("world");
  readonly #heap: Event[] = [];
  #order = 0;

  constructor(seed: number, startMs: number) {
    this.nowMs = startMs;
    this.current = this.#world;
    this.draw = new Draw("code", seed);
  }

  /** Calls `action` as a turn of `context`, unless that is dead by then. */
  at(atMs: number, context: Context, label: string, action: () => void): Event {
    // Clocks show whole milliseconds.
    const event: Event = {
      atMs: Math.max(Math.ceil(atMs), this.nowMs),
      order: this.#order++,
      context,
      label,
      action,
    };
    this.#push(event);
    return event;
  }

  after(ms: number, context: Context, label: string, action: () => void): Event {
    return this.at(this.nowMs + ms, context, label, action);
  }

  /** The same for what belongs to the simulated world itself. */
  later(ms: number, label: string, action: () => void): Event {
    return this.at(this.nowMs + ms, this.#world, label, action);
  }

  /** Goes on as a turn of another context: who is called takes over from who carries the call. */
  enter(context: Context): void {
    this.current = context;
  }

  note(text: string): void {
    this.hash = mixText(this.hash, text);
    this.trace?.(`${this.#clock()}   ${text}`);
  }

  /** Runs all events up to a time, which it is afterwards. */
  run(untilMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = () => {
        try {
          this.#finish();
          const event = this.#next(untilMs);
          if (event === undefined) {
            this.nowMs = Math.max(this.nowMs, Math.ceil(untilMs));
            resolve();
            return;
          }
          this.#begin(event);
        } catch (error) {
          reject(error);
          return;
        }
        queueMicrotask(next);
      };
      // Ticks and microtasks take turns in Node: a tick that a microtask asks for comes when no microtask is left.
      const next = () => process.nextTick(step);
      next();
    });
  }

  /** Ends the turn whose microtasks have all run. */
  #finish(): void {
    const turn = this.current;
    this.current = this.#world;
    if (turn === this.#world) return;
    turn.endTurn();
    if (turn.isAlive) this.afterTurn?.(turn);
  }

  #begin(event: Event): void {
    this.nowMs = event.atMs;
    this.events++;
    this.hash = mixText(Math.imul(this.hash ^ (event.atMs | 0), 0x01000193), event.label);
    this.trace?.(`${this.#clock()} ${event.context.name}: ${event.label}`);
    this.current = event.context;
    const { action } = event;
    event.action = undefined;
    try {
      action?.();
    } catch (error) {
      this.uncaught.push(error);
    }
  }

  #clock(): string {
    return new Date(this.nowMs).toISOString().slice(11, 23);
  }

  #next(untilMs: number): Event | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > untilMs) return undefined;
      this.#pop();
      if (first.action !== undefined && first.context.isAlive) return first;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
}
