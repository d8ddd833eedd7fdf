/** Uploads in pieces, under limits small enough to test at their edges. */
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { Upload, type UploadLimits } from "../../src/api/upload.ts";
import { Problem } from "../../src/base/problem.ts";

const LIMITS: UploadLimits = { wireBytes: 100, inflatedBytes: 1_000, lineBytes: 50, lines: 9, heldBytes: 40 };

function request(body: Uint8Array, piece: number, headers: Record<string, string> = {}): Request {
  let at = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= body.length) controller.close();
      else controller.enqueue(body.slice(at, at + piece));
      at += piece;
    },
  });
  return new Request("http://localhost/", {
    method: "POST",
    body: stream,
    headers,
    duplex: "half",
  } as RequestInit);
}
/** The lines, or the status of what is wrong; `early` says whether that was found before the first line. */
async function read(body: Uint8Array, piece = 7, limits = LIMITS) {
  let lines = 0;
  try {
    const upload = await Upload.open(request(body, piece), limits);
    upload.check();
    for await (const some of upload.lines()) for (const _line of some) lines++;
    return { lines };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { status: error.status, early: lines === 0 };
  }
}
const text = (lines: number, length = 3) => Buffer.from(`${"a".repeat(length)}\n`.repeat(lines));

describe("uploads", () => {
  it("LOGP-8: what is held whole is refused before its first line", async () => {
    expect(await read(text(9))).toEqual({ lines: 9 });
    expect(await read(text(10))).toEqual({ status: 413, early: true });
    expect(await read(gzipSync(text(9, 50)))).toEqual({ lines: 9 });
    expect(await read(gzipSync(text(9, 51)))).toEqual({ status: 413, early: true });
    expect(await read(gzipSync(Buffer.alloc(1_000, 0x0a)))).toEqual({ lines: 0 });
    expect(await read(gzipSync(Buffer.alloc(1_001, 0x0a)))).toEqual({ status: 413, early: true });
    expect(await read(gzipSync(text(2)).subarray(0, -1))).toEqual({ status: 400, early: true });
  });

  it("LOGP-8: what is longer is read as it comes, up to the same limits", async () => {
    expect(await read(text(4, 24))).toEqual({ lines: 4 });
    expect(await read(text(4, 25))).toEqual({ status: 413, early: false });
    expect(await read(text(10, 8))).toEqual({ status: 413, early: false });
    const noise = Buffer.from(Array.from({ length: 90 }, (_, i) => 33 + (Math.imul(i, 0x9e3779b1) >>> 26)));
    const long = gzipSync(noise, { level: 0 });
    expect(long.length).toBeGreaterThan(100);
    expect(await read(long)).toMatchObject({ status: 413 });
  });

  it("UPL-5: what inflates too far is refused before more than a line's length of it is inflated", async () => {
    // Stored as they are, so that their end is far behind their beginning on the wire too.
    const begins = gzipSync(text(5, 40_000), { level: 0 });
    // Their check is wrong: whoever inflates so far calls them damaged.
    begins[begins.length - 8]! ^= 0xff;
    const room = { wireBytes: 1_000_000, heldBytes: 1_000_000, lineBytes: 40_000 };
    const limits = { ...LIMITS, ...room, inflatedBytes: 300_000 };
    expect(await read(begins, 9_999, limits)).toEqual({ status: 400, early: true });
    const bomb = Buffer.concat([begins, gzipSync(Buffer.alloc(100_000, 0x0a))]);
    expect(await read(bomb, 9_999, limits)).toEqual({ status: 413, early: true });
  });

  it("LOGP-5: the name follows from the bytes, not from how they come", async () => {
    const nameOf = async (body: Uint8Array, piece: number, headers = {}) =>
      (await Upload.open(request(body, piece, headers), LIMITS)).name;
    for (const body of [text(3), text(4, 20)]) expect(await nameOf(body, 1)).toBe(await nameOf(body, 99));
    expect(await nameOf(text(3), 5)).not.toBe(await nameOf(text(2), 5));
    const long = text(4, 20);
    expect(await nameOf(long, 5, { "content-length": "84" })).not.toBe(await nameOf(long, 5));
  });

  it("LOGP-8: a length that is announced as too large is refused at once", async () => {
    const open = Upload.open(request(text(3), 5, { "content-length": "101" }), LIMITS);
    await expect(open).rejects.toMatchObject({ status: 413 });
  });
});
