/** Group commit on the real engine: several calls in a row of the log, and what a restart makes of it. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { framesOfRow, groupRows } from "../../src/ingest/group-row.ts";
import { decodeFrame, encodeFrame } from "../../src/wire/frame.ts";
import { CHROME, failure, frame, shardStub } from "./helpers.ts";

type Shard = ReturnType<typeof shardStub>;

async function reqsOf(stub: Shard): Promise<number | undefined> {
  return (await stub.read([CHROME])).found[0]?.windows["1h"].reqs;
}

/** First byte of the ids of the frames of every log row, in order. */
function logOf(stub: Shard): Promise<number[][]> {
  return runInDurableObject(stub, (_, { storage }) =>
    tablesOf(storage).flatMap((table) =>
      storage.sql
        .exec<{ frame: ArrayBuffer }>(`SELECT frame FROM ${table} ORDER BY seq`)
        .toArray()
        .map((row) => framesOfRow(new Uint8Array(row.frame)).map((bytes) => decodeFrame(bytes).id[0]!)),
    ),
  );
}

function tablesOf({ sql }: DurableObjectStorage): string[] {
  const found = sql.exec<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE name LIKE 'log_%' ORDER BY 1",
  );
  return found.toArray().map(({ name }) => name);
}

/** Makes syncs wait, so that calls queue; answers a function that lets them go on. */
async function holdSync(stub: Shard): Promise<() => Promise<void>> {
  await runInDurableObject(stub, (_, { storage }) => {
    const gate = Promise.withResolvers<void>();
    const real = storage.sync.bind(storage);
    Object.defineProperty(storage, "sync", {
      configurable: true,
      value: async () => {
        await gate.promise;
        await real();
      },
    });
    Object.defineProperty(storage, "openGate", { configurable: true, value: gate.resolve });
  });
  return () =>
    runInDurableObject(stub, (_, { storage }) => {
      Reflect.deleteProperty(storage, "sync");
      (storage as unknown as { openGate(): void }).openGate();
    });
}

/** Calls on one stub arrive in order: when this is answered, all before it have been taken in. */
async function arrived(stub: Shard): Promise<void> {
  await stub.noteDuplicate(0);
}

/** A call whose outcome is looked at later. */
function later(call: Promise<unknown>): { answer(): Promise<unknown>; isDone(): boolean } {
  let done = false;
  const settled = call.then(
    (value) => value,
    (error) => String(error),
  );
  void settled.then(() => {
    done = true;
  });
  return { answer: () => settled, isDone: () => done };
}

describe("group commit", () => {
  it("GRP-1: calls during a commit share one row, in order, and each is answered with its own numbers", async () => {
    const stub = shardStub("shop", 10);
    const now = Date.now();
    const release = await holdSync(stub);
    const calls = [1, 2, 3, 4].map((id) => later(stub.ingest([frame(id, now, id)], 1)));
    await arrived(stub);
    expect(calls.some((call) => call.isDone())).toBe(false);
    await release();
    const answers = await Promise.all(calls.map((call) => call.answer()));
    expect(answers).toMatchObject([1, 2, 3, 4].map((accepted) => ({ ok: true, accepted, duplicate: 0 })));
    expect(await logOf(stub)).toEqual([[1], [2, 3, 4]]);
    expect(await reqsOf(stub)).toBe(10);
  });

  it("GRP-2: quiet calls are rows of their own", async () => {
    const stub = shardStub("shop", 11);
    for (const id of [1, 2, 3])
      await stub.ingest([frame(id, Date.now(), 1), frame(id + 10, Date.now(), 1)], 1);
    expect(await logOf(stub)).toEqual([
      [1, 11],
      [2, 12],
      [3, 13],
    ]);
  });

  it("GRP-5: a duplicate of a frame that is queued or not yet durable waits for it, and counts once", async () => {
    const stub = shardStub("shop", 12);
    const now = Date.now();
    const release = await holdSync(stub);
    const first = later(stub.ingest([frame(1, now, 3)], 1));
    const again = later(stub.ingest([frame(1, now, 3)], 1));
    const queued = later(stub.ingest([frame(2, now, 4)], 1));
    const mixed = later(stub.ingest([frame(2, now, 4), frame(3, now, 5), frame(3, now, 5)], 1));
    await arrived(stub);
    expect([first, again, queued, mixed].some((call) => call.isDone())).toBe(false);
    await release();
    expect(await first.answer()).toMatchObject({ accepted: 3, duplicate: 0 });
    expect(await again.answer()).toMatchObject({ accepted: 0, duplicate: 3 });
    expect(await queued.answer()).toMatchObject({ accepted: 4, duplicate: 0 });
    expect(await mixed.answer()).toMatchObject({ accepted: 5, duplicate: 9 });
    expect(await reqsOf(stub)).toBe(12);
    expect((await stub.summary()).sinceStart).toMatchObject({ accepted: 12, duplicate: 12 });
    await evictDurableObject(stub);
    expect(await reqsOf(stub)).toBe(12);
  });

  it("GRP-4: a call whose write fails is refused alone, with those that wait for its frames; sent again it counts once", async () => {
    const stub = shardStub("shop", 13);
    const now = Date.now();
    const poison = frame(66, now, 7);
    await runInDurableObject(stub, (_, state) => {
      const real = state.storage.sql.exec;
      Object.defineProperty(state.storage.sql, "exec", {
        configurable: true,
        value(this: SqlStorage, query: string, ...bindings: unknown[]) {
          const row = query.startsWith("INSERT INTO log_") ? (bindings[1] as Uint8Array) : undefined;
          const ids = row === undefined ? [] : framesOfRow(row).map((bytes) => decodeFrame(bytes).id[0]);
          if (ids.includes(66)) throw new Error("cannot be written");
          return real.call(this, query, ...bindings);
        },
      });
    });
    const release = await holdSync(stub);
    const calls = [
      later(stub.ingest([frame(1, now, 1)], 1)),
      later(stub.ingest([frame(2, now, 2)], 1)),
      later(stub.ingest([poison, frame(3, now, 3)], 1)),
      later(stub.ingest([poison], 1)),
      later(stub.ingest([frame(4, now, 4)], 1)),
    ];
    await arrived(stub);
    await release();
    const answers = await Promise.all(calls.map((call) => call.answer()));
    expect(answers).toMatchObject([
      { accepted: 1 },
      { accepted: 2 },
      expect.stringContaining("cannot be written"),
      expect.stringContaining("cannot be written"),
      { accepted: 4 },
    ]);
    expect(await logOf(stub)).toEqual([[1], [2], [4]]);
    expect(await reqsOf(stub)).toBe(7);
    await evictDurableObject(stub);
    expect(await stub.ingest([poison, frame(3, now, 3)], 1)).toMatchObject({ accepted: 10, duplicate: 0 });
    expect(await stub.ingest([poison], 1)).toMatchObject({ accepted: 0, duplicate: 7 });
    expect(await reqsOf(stub)).toBe(17);
  });

  it("GRP-5: when the sync fails, nobody of the group is answered as if it were durable", async () => {
    const stub = shardStub("shop", 14);
    await runInDurableObject(stub, (_, { storage }) => {
      Object.defineProperty(storage, "sync", {
        configurable: true,
        value: async () => {
          throw new Error("not durable");
        },
      });
    });
    expect(await failure(() => stub.ingest([frame(1, Date.now(), 1)], 1))).toContain("not durable");
  });

  it("GRP-9: beyond what a shard may hold a call is refused as overload, counts as shed, and is welcome later", async () => {
    const stub = shardStub("shop", 15);
    const now = Date.now();
    const large = decodeFrame(frame(0, now, 4_000));
    const frames = (call: number) =>
      Array.from({ length: 24 }, (_, i) => {
        return encodeFrame({ ...large, id: new Uint8Array(16).fill(i).fill(call, 8) });
      });
    const release = await holdSync(stub);
    const calls = [1, 2, 3, 4, 5, 6].map((call) => later(stub.ingest(frames(call), 1)));
    await arrived(stub);
    const refused = { ok: false, fault: "overloaded" };
    expect(await calls[5]!.answer()).toEqual(refused);
    // The control: what has room waits for its turn.
    expect(calls.slice(0, 5).map((call) => call.isDone())).toEqual([false, false, false, false, false]);
    expect((await stub.summary()).sinceStart).toMatchObject({ shed: 96_000 });
    await release();
    expect(await Promise.all(calls.map((call) => call.answer()))).toMatchObject([
      ...Array.from({ length: 5 }, () => ({ ok: true, accepted: 96_000 })),
      refused,
    ]);
    expect(await stub.ingest(frames(6), 1)).toMatchObject({ ok: true, accepted: 96_000, duplicate: 0 });
    expect(await reqsOf(stub)).toBe(6 * 96_000);
  });
});

describe("the log on disk", () => {
  /** Puts rows into the log as they are. */
  async function write(stub: Shard, rows: readonly Uint8Array[]): Promise<void> {
    await runInDurableObject(stub, (_, { storage }) => {
      const [table] = tablesOf(storage);
      for (const row of rows) storage.sql.exec(`INSERT INTO ${table} (frame) VALUES (?)`, row);
    });
    await evictDurableObject(stub);
  }

  it("GRP-7: a restart reads groups and bare frames of before groups; a frame that is there twice counts once", async () => {
    const stub = shardStub("shop", 16);
    const now = Date.now();
    await stub.ingest([frame(1, now, 1)], 1);
    await write(stub, [
      frame(2, now, 2),
      ...groupRows([frame(3, now, 4), frame(1, now, 1)]),
      frame(2, now, 2),
    ]);
    expect(await reqsOf(stub)).toBe(7);
    expect((await stub.summary()).sinceStart).toMatchObject({ accepted: 7 });
    expect(await stub.ingest([frame(2, now, 2), frame(3, now, 4)], 1)).toMatchObject({
      accepted: 0,
      duplicate: 6,
    });
  });

  it("GRP-8: a broken row costs its own frames only", async () => {
    const stub = shardStub("shop", 17);
    const now = Date.now();
    await stub.ingest([frame(1, now, 1)], 1);
    const [row] = groupRows([frame(2, now, 2), frame(3, now, 4)]) as [Uint8Array];
    await write(stub, [row.slice(0, -1), Uint8Array.of(0xc1, 9), Uint8Array.of(0x81), frame(4, now, 8)]);
    expect(await reqsOf(stub)).toBe(9);
  });
});
