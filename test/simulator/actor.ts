/**
 * A Durable Object as the platform runs it: made when somebody calls, one incarnation at a time, evicted when idle, gone with
 * everything that was not durable when it crashes. What crosses its border goes through the gates:
 *
 *   in    nothing is delivered before its constructor's `blockConcurrencyWhile` is over
 *   out   answers, calls to others and socket frames wait until what was written before them is durable
 *
 * An alarm is durable with the writes beside it, fires at least once, and again after 2, 4, 8 … s when its handler throws.
 * https://developers.cloudflare.com/durable-objects/api/alarms/
 */
import { Disk, TransactionLost } from "./disk.ts";
import { Context, type Event, type Kernel } from "./kernel.ts";
import type { Socket } from "./socket.ts";

/** An exported class of the product. */
export type ObjectClass = new (ctx: unknown, env: unknown) => Record<string, unknown>;

/** A call on its way; exactly one of the two is told, once. */
export interface Delivery {
  readonly method: string;
  readonly parameters: unknown[];
  answered(value: unknown): void;
  failed(error: Error): void;
}

/** How the surroundings treat an object. */
export interface Surroundings {
  readonly kernel: Kernel;
  readonly env: unknown;
  /** From the end of a turn until its writes are durable, ms; `fails` = they never will be. */
  commit(actor: Actor): { ms: number; fails: boolean };
  latencyMs(): number;
}

/** The platform's errors, with the properties that callers may look at. */
export function platformError(message: string, properties: Record<string, boolean> = {}): Error {
  return Object.assign(new Error(message), properties);
}

const ALARM_RETRIES = 6;
const ALARM_FIRST_RETRY_MS = 2_000;
/** Until an object that died in its alarm is tried again. */
const ALARM_AGAIN_MS = 500;

export class Actor {
  readonly name: string;
  readonly disk = new Disk();
  /** Carries what arrives; never dies. */
  readonly door: Context;
  readonly #made: ObjectClass;
  readonly #around: Surroundings;
  #incarnation: Incarnation | undefined;
  sockets: Socket[] = [];
  autoResponse: { request: string; response: string } | undefined;
  #skewMs = 0;
  /** Nobody reaches it until then, ms. */
  downUntilMs = 0;
  #alarm: Event | undefined;
  #alarmRetries = 0;
  crashes = 0;
  evictions = 0;

  constructor(name: string, made: ObjectClass, around: Surroundings) {
    this.name = name;
    this.#made = made;
    this.#around = around;
    this.door = new Context(`→${name}`);
  }

  get incarnation(): Incarnation | undefined {
    return this.#incarnation;
  }

  /** Its clock's distance from true time, ms. */
  get skewMs(): number {
    return this.#skewMs;
  }

  /** Sets its clock; alarms go by the same one. */
  setClock(skewMs: number): void {
    this.#skewMs = skewMs;
    if (this.#alarm !== undefined) this.armAlarm();
  }

  get isIdle(): boolean {
    return this.#incarnation?.isIdle ?? true;
  }

  /** Brings a call to the object, as a turn of its own. */
  deliver(delivery: Delivery): void {
    this.#enter(
      (incarnation) => incarnation.run(delivery),
      (error) => delivery.failed(error),
    );
  }

  /** Memory gone, disk as it is durable; whoever waits for an answer gets an error. */
  crash(why: string): void {
    const { kernel } = this.#around;
    kernel.note(`${this.name} crashes: ${why}`);
    this.crashes++;
    const incarnation = this.#incarnation;
    this.#incarnation = undefined;
    incarnation?.die();
    this.disk.crash();
    for (const socket of this.sockets.splice(0)) socket.cut();
    incarnation?.abandon(platformError("Durable Object reset", { retryable: true }));
    this.armAlarm(ALARM_AGAIN_MS);
  }

  /** Memory gone, nothing else: only an idle object is evicted. */
  evict(): void {
    if (this.#incarnation === undefined || !this.isIdle) return;
    this.#around.kernel.note(`${this.name} is evicted`);
    this.evictions++;
    this.#incarnation.die();
    this.#incarnation = undefined;
  }

  /** Lets the durable alarm ring at its time, not before `leastMs` from now. */
  armAlarm(leastMs = 0): void {
    const { kernel } = this.#around;
    if (this.#alarm !== undefined) this.#alarm.action = undefined;
    this.#alarm = undefined;
    const atMs = this.disk.durableAlarmMs;
    if (atMs === undefined) return;
    this.#alarm = kernel.at(Math.max(atMs - this.#skewMs, kernel.nowMs + leastMs), this.door, "alarm", () =>
      this.#ring(),
    );
  }

  accept(socket: Socket): void {
    this.sockets.push(socket);
    socket.take(this.#around, this.door, {
      message: (data) => this.#heard(socket, data),
      close: (code) => this.#lost(socket, code),
    });
  }

  #heard(socket: Socket, data: string | Uint8Array): void {
    if (!this.sockets.includes(socket)) return;
    if (data === this.autoResponse?.request) {
      socket.pongMs = this.#around.kernel.nowMs + this.skewMs;
      socket.send(this.autoResponse.response);
      return;
    }
    this.#tell("webSocketMessage", [socket, typeof data === "string" ? data : data.slice().buffer]);
  }

  #lost(socket: Socket, code: number): void {
    if (!this.sockets.includes(socket)) return;
    this.sockets = this.sockets.filter((other) => other !== socket);
    this.#tell("webSocketClose", [socket, code, "", code !== 1006]);
  }

  /** Runs a handler that nobody waits for. */
  #tell(method: string, parameters: unknown[]): void {
    this.deliver({ method, parameters, answered: () => undefined, failed: () => undefined });
  }

  #ring(): void {
    const { kernel } = this.#around;
    this.#alarm = undefined;
    if (this.disk.durableAlarmMs === undefined) return;
    if (kernel.nowMs < this.downUntilMs) {
      this.armAlarm(this.downUntilMs - kernel.nowMs);
      return;
    }
    this.#enter(
      (incarnation) => incarnation.ring(this.#alarmRetries),
      () => this.#alarmFailed(false),
    );
  }

  /** The handler ended; `replaced`: it, or somebody meanwhile, set another alarm. */
  alarmDone(replaced: boolean): void {
    this.#alarmRetries = 0;
    if (!replaced) this.disk.setAlarm(undefined);
    else this.armAlarm();
  }

  alarmThrew(replaced: boolean): void {
    this.#alarmFailed(replaced);
  }

  #alarmFailed(replaced: boolean): void {
    if (replaced) {
      this.#alarmRetries = 0;
      this.armAlarm();
    } else if (this.#alarmRetries >= ALARM_RETRIES) {
      this.#alarmRetries = 0;
      this.disk.setAlarm(undefined);
    } else this.armAlarm(ALARM_FIRST_RETRY_MS * 2 ** this.#alarmRetries++);
  }

  /** Calls back as a turn of the running incarnation, made now when there is none. */
  #enter(then: (incarnation: Incarnation) => void, refused: (error: Error) => void): void {
    const { kernel } = this.#around;
    if (kernel.nowMs < this.downUntilMs) {
      refused(platformError("Network connection lost.", { retryable: true }));
      return;
    }
    if (this.#incarnation === undefined) {
      const incarnation = new Incarnation(this, this.#around);
      this.#incarnation = incarnation;
      kernel.enter(incarnation);
      try {
        incarnation.start(this.#made);
      } catch (error) {
        kernel.note(`${this.name} does not start: ${String(error)}`);
        this.crash("its constructor threw");
        refused(platformError("Durable Object failed to start"));
        return;
      }
    }
    const incarnation = this.#incarnation;
    kernel.enter(incarnation);
    incarnation.whenReady(() => then(incarnation), refused);
  }
}

/** One life of an object. */
export class Incarnation extends Context {
  readonly #actor: Actor;
  readonly #around: Surroundings;
  #object: Record<string, unknown> = {};
  /** Calls, handlers and `waitUntil` promises that are under way. */
  #active = 0;
  #blocked = 0;
  readonly #backlog: { go: () => void; refused: (error: Error) => void }[] = [];
  readonly #unanswered = new Set<Delivery>();
  /** What waits for the disk. */
  #held = 0;
  #alarm: { replaced: boolean } | undefined;

  constructor(actor: Actor, around: Surroundings) {
    super(actor.name);
    this.#actor = actor;
    this.#around = around;
  }

  start(made: ObjectClass): void {
    this.#object = new made(this.#state(), this.#around.env);
  }

  override get skewMs(): number {
    return this.#actor.skewMs;
  }

  get isIdle(): boolean {
    const waits = this.#active + this.#blocked + this.#backlog.length + this.#held + this.waiting;
    return waits === 0 && this.#actor.disk.isDurable;
  }

  /** Calls that were delivered and not answered. */
  get unanswered(): readonly string[] {
    return Array.from(this.#unanswered, ({ method }) => method);
  }

  whenReady(go: () => void, refused: (error: Error) => void): void {
    if (this.#blocked === 0) go();
    else this.#backlog.push({ go, refused });
  }

  run(delivery: Delivery): void {
    this.#unanswered.add(delivery);
    this.#invoke(delivery.method, delivery.parameters, (value, error) =>
      this.output(() => {
        this.#unanswered.delete(delivery);
        if (error === undefined) delivery.answered(value);
        else delivery.failed(error);
      }),
    );
  }

  ring(retries: number): void {
    // Another one is still running: the platform waits for it.
    if (this.#alarm !== undefined) {
      this.#actor.armAlarm(ALARM_AGAIN_MS);
      return;
    }
    const alarm = { replaced: false };
    this.#alarm = alarm;
    const info = { retryCount: retries, isRetry: retries > 0 };
    this.#invoke("alarm", [info], (_, error) => {
      this.#alarm = undefined;
      if (error === undefined) this.#actor.alarmDone(alarm.replaced);
      else this.#actor.alarmThrew(alarm.replaced);
    });
  }

  override output(send: () => void): void {
    const { disk } = this.#actor;
    if (!this.isAlive) return;
    if (disk.isDurable) {
      send();
      return;
    }
    this.#held++;
    disk.whenDurable(() => {
      this.#held--;
      send();
    });
  }

  override endTurn(): void {
    const actor = this.#actor;
    if (!this.isAlive || !actor.disk.seal()) return;
    const { ms, fails } = this.#around.commit(actor);
    const { kernel } = this.#around;
    kernel.after(ms, this, fails ? "commit fails" : "commit", () => {
      if (fails) actor.crash("a commit failed");
      else {
        const before = actor.disk.durableAlarmMs;
        actor.disk.confirm();
        if (actor.disk.durableAlarmMs !== before && this.#alarm === undefined) actor.armAlarm();
      }
    });
  }

  /** Tells everybody who waits for an answer that none will come. */
  abandon(error: Error): void {
    for (const delivery of this.#unanswered) delivery.failed(error);
    for (const { refused } of this.#backlog) refused(error);
  }

  #invoke(method: string, parameters: unknown[], done: (value: unknown, error?: Error) => void): void {
    this.#active++;
    const finish = (value: unknown, error?: Error) => {
      this.#active--;
      if (this.isAlive) done(value, error);
    };
    let result: unknown;
    try {
      const handler = this.#object[method];
      if (typeof handler !== "function")
        throw new TypeError(`The receiver does not implement the method "${method}".`);
      result = handler.apply(this.#object, parameters);
    } catch (error) {
      finish(undefined, remoteError(error));
      return;
    }
    if (!(result instanceof Promise)) finish(result);
    else
      result.then(
        (value: unknown) => finish(value),
        (error: unknown) => finish(undefined, remoteError(error)),
      );
  }

  #state() {
    const actor = this.#actor;
    return {
      id: { name: actor.name, toString: () => actor.name },
      storage: this.#storage(),
      waitUntil: (promise: Promise<unknown>) => this.#until(promise),
      blockConcurrencyWhile: (closure: () => Promise<unknown>) => this.#block(closure),
      acceptWebSocket: (socket: Socket) => actor.accept(socket),
      getWebSockets: () => [...actor.sockets],
      setWebSocketAutoResponse: (pair: { request: string; response: string }) => {
        actor.autoResponse = pair;
      },
      getWebSocketAutoResponseTimestamp: ({ pongMs }: Socket) =>
        pongMs === undefined ? null : new Date(pongMs),
    };
  }

  #storage() {
    const { disk } = this.#actor;
    const guarded = <T>(use: () => T): T => {
      if (!this.isAlive) throw platformError("a dead object reached its disk");
      try {
        return use();
      } catch (error) {
        if (error instanceof TransactionLost) this.#actor.crash("its transaction was given up");
        throw error;
      }
    };
    return {
      sql: {
        exec: (query: string, ...bindings: unknown[]) => cursor(guarded(() => disk.exec(query, bindings))),
        get databaseSize() {
          return disk.size;
        },
      },
      transactionSync: <T>(closure: () => T) => guarded(() => disk.transaction(closure)),
      sync: async () => {
        if (disk.isDurable) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        this.waiting++;
        disk.whenDurable(() => {
          this.waiting--;
          resolve();
        });
        await promise;
      },
      // While a handler runs its own alarm is not there any more.
      getAlarm: async () => (this.#alarm?.replaced === false ? null : (disk.alarmMs ?? null)),
      setAlarm: async (at: number | Date) => this.#setAlarm(Number(at)),
      deleteAlarm: async () => this.#setAlarm(undefined),
    };
  }

  #setAlarm(atMs: number | undefined): void {
    if (this.#alarm !== undefined) this.#alarm.replaced = true;
    this.#actor.disk.setAlarm(atMs);
  }

  #until(promise: Promise<unknown>): void {
    this.#active++;
    const over = () => {
      this.#active--;
    };
    promise.then(over, (error: unknown) => {
      over();
      this.#around.kernel.note(`${this.name} waitUntil rejected: ${String(error)}`);
    });
  }

  /** The platform resets an object whose closure throws. */
  async #block<T>(closure: () => Promise<T>): Promise<T | undefined> {
    this.#blocked++;
    try {
      return await closure();
    } catch (error) {
      this.#actor.crash(`blockConcurrencyWhile: ${String(error)}`);
      return undefined;
    } finally {
      this.#blocked--;
      if (this.#blocked === 0 && this.isAlive) for (const { go } of this.#backlog.splice(0)) go();
    }
  }
}

/** What an error becomes on its way to the caller: message and name, nothing of its class. */
function remoteError(error: unknown): Error {
  const made = new Error(error instanceof Error ? error.message : String(error));
  if (error instanceof Error) made.name = error.name;
  return Object.assign(made, { remote: true });
}

function cursor(rows: Record<string, unknown>[]) {
  return {
    toArray: () => rows,
    one: () => {
      if (rows.length !== 1) throw new Error(`expected one row, not ${rows.length}`);
      return rows[0];
    },
    [Symbol.iterator]: () => rows[Symbol.iterator](),
  };
}
