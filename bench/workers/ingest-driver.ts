/**
 * The load of the ingest benchmark, inside the engine: sends frames to the site's shard by RPC, as many callers at once as
 * it is told, each with its next frame when the last is answered. Not an entry.
 */
import type { FramesHead, RunInput, RunResult } from "../lib/ingest-protocol.ts";

/** What both variants' object answers. */
interface Shard {
  ingest(
    payloads: Uint8Array[],
    shards: number,
  ): Promise<{ ok: true; accepted: number; duplicate: number } | { ok: false; fault: string }>;
  summary(): Promise<unknown>;
  read(ja4s: string[]): Promise<unknown>;
}

interface DriverEnv {
  readonly SHARDS_NS: DurableObjectNamespace;
}

interface Loaded {
  readonly head: FramesHead;
  readonly frames: readonly { readonly bytes: Uint8Array; readonly view: DataView }[];
}

let loaded: Loaded | undefined;
let sent = 0;

export const driver = {
  async fetch(request: Request, env: DriverEnv): Promise<Response> {
    const shard = env.SHARDS_NS.getByName("v1/shop/shard/1-0") as unknown as Shard;
    switch (new URL(request.url).pathname) {
      case "/frames":
        loaded = load(await request.arrayBuffer());
        return Response.json({ frames: loaded.frames.length });
      case "/run":
        return Response.json(await run((await request.json()) as RunInput, shard));
      case "/summary":
        return Response.json(await shard.summary());
      case "/read":
        return Response.json(await shard.read((await request.json()) as string[]));
      default:
        return new Response(null, { status: 404 });
    }
  },
};

function load(body: ArrayBuffer): Loaded {
  const length = new DataView(body).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(body, 4, length))) as FramesHead;
  let at = 4 + length;
  const frames = head.frames.map((place) => {
    // A buffer of its own: a call would send all of a shared one.
    const bytes = new Uint8Array(body.slice(at, at + place.bytes));
    at += place.bytes;
    return { bytes, view: new DataView(bytes.buffer) };
  });
  return { head, frames };
}

async function run({ callers, backfill, forMs }: RunInput, shard: Shard): Promise<RunResult> {
  if (loaded === undefined) throw new Error("no frames yet");
  const { head, frames } = loaded;
  const startMs = Date.now();
  const until = backfill === undefined ? Number.POSITIVE_INFINITY : sent + backfill.frames;
  const endMs = startMs + (forMs ?? Number.POSITIVE_INFINITY);
  const from = sent;
  let accepted = 0;
  let duplicate = 0;
  const caller = async () => {
    while (sent < until && Date.now() < endMs) {
      const number = sent++;
      const { bytes, view } = frames[number % frames.length]!;
      const { idAt, baseAt } = head.frames[number % frames.length]!;
      const lastMs =
        backfill === undefined
          ? Date.now()
          : startMs - backfill.backMs + Math.floor(((number - from) * backfill.backMs) / backfill.frames);
      view.setUint32(idAt, number, true);
      view.setFloat64(baseAt, lastMs - head.spreadMs, head.littleEndian);
      const result = await shard.ingest([bytes], 1);
      if (!result.ok) throw new Error(`refused: ${result.fault}`);
      accepted += result.accepted;
      duplicate += result.duplicate;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { sent, accepted, duplicate };
}
