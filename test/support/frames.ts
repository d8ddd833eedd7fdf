/** Rows and frames for tests, and the bytes that version 1 made of a known one. */
import { FLAGS_MASK, HAS_IP } from "../../src/wire/flags.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";
import { KEY_WORDS, unpackKey } from "../../src/wire/key.ts";

export const CHROME = "t13d1516h2_8daaf6152771_02713d6af862";
export const PSEUDO = "x0123456789abcdef01234567";
export const BASE = 1_763_892_000_000;

export function row(over: Partial<Row> = {}): Row {
  return {
    timestampMs: BASE,
    ja4: CHROME,
    flags: HAS_IP,
    ipHash: 7,
    uaHash: 0,
    pathHash: 0,
    hostHash: 0,
    asnNumber: 0,
    signals: undefined,
    path: "/login",
    host: "shop.example",
    method: "POST",
    status: 401,
    asn: 64_500,
    rayId: "ray1",
    ...over,
  };
}

/** A row of which only its time is known. */
export function bareRow(over: Partial<Row> = {}): Row {
  return row({
    ...{ ja4: "", flags: 0, ipHash: 0, path: undefined, host: undefined, method: undefined },
    ...{ status: undefined, asn: undefined, rayId: undefined },
    ...over,
  });
}

export function frameOf(rows: readonly Row[], id = new Uint8Array(16).fill(9)): Frame {
  const builder = new FrameBuilder();
  for (const each of rows) builder.add(each);
  return builder.build(id, "edge", { ...NO_COUNTERS, lost_at_edge: 3 });
}

/** The fingerprints of a frame's table. */
export function fingerprintsOf({ fps, keys }: Frame): string[] {
  return Array.from({ length: fps }, (_, i) => unpackKey(keys, i * KEY_WORDS));
}

/** Ten global signals of which two are known. */
export function signals(browser = 0.93): Float64Array {
  const values = new Float64Array(10).fill(Number.NaN);
  values[2] = browser;
  values[4] = 17;
  return values;
}

/** The frame that GOLDEN_V1 was made of. */
export function goldenFrame(): Frame {
  const builder = new FrameBuilder();
  builder.add(
    row({
      ...{ timestampMs: BASE + 5, flags: FLAGS_MASK & 0x1f0c37, uaHash: 4_294_967_295, pathHash: 3 },
      ...{ hostHash: 2, asnNumber: 64_500, rayId: "8f1a2b3c4d5e6f70-AMS" },
    }),
  );
  builder.add(
    bareRow({
      ...{ timestampMs: BASE + 60_000, ja4: PSEUDO, flags: 0x210000, ipHash: 9 },
      ...{ signals: signals(), path: "/höhe" },
    }),
  );
  builder.add(bareRow());
  const id = Uint8Array.from({ length: 16 }, (_, i) => i * 16);
  return builder.build(id, "edge", { ...NO_COUNTERS, lost_at_edge: 3, expired: 70_000 });
}

/** Written by the code of version 1, before there was another one. */
export const GOLDEN_V1 =
  "3gAaoXYBomlkxBAAECAwQFBgcICQoLDA0ODwpnNvdXJjZaRlZGdlpGJhc2XLQnmrAn9QAACjZnBzk9kkdDEzZDE1MTZoMl84ZGFh" +
  "ZjYxNTI3NzFfMDI3MTNkNmFmODYyuXgwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1NjegomZwxAYAAAEAAgCiYXTEDAUAAABg6gAAAAAA" +
  "AKVmbGFnc8QMNwwfAAAAIQAAAAAAomlwxAwHAAAACQAAAAAAAACidWHEDP////8AAAAAAAAAAKRwYXRoxAwDAAAAAAAAAAAAAACk" +
  "aG9zdMQMAgAAAAAAAAAAAAAAo2FzbsQM9PsAAAAAAAAAAAAAo2dmcMQCAQCjZ2F0xAgAAPaNAqt5QqRndmFsxFAAAAAAAAD4fwAA" +
  "AAAAAPh/w/UoXI/C7T8AAAAAAAD4fwAAAAAAADFAAAAAAAAA+H8AAAAAAAD4fwAAAAAAAPh/AAAAAAAA+H8AAAAAAAD4f6NzZnDE" +
  "BAAAAQCjc2F0xAgFAAAAYOoAAKdzd2VpZ2h0xAgBAAAAAQAAAKdzc3RhdHVzxASRAQAApHNhc27EEAAAAACAfu9AAAAAAAAA8L+l" +
  "cGF0aHOSpi9sb2dpbqYvaMO2aGWlaG9zdHOSrHNob3AuZXhhbXBsZaCnbWV0aG9kc5KkUE9TVKCkcmF5c5K0OGYxYTJiM2M0ZDVl" +
  "NmY3MC1BTVOgqGNvdW50ZXJzlADOAAERcAMA";

/** The same frame, as the code that brought version 2 wrote it. */
export const GOLDEN_V2 =
  "iKF2AqJpZMQQABAgMEBQYHCAkKCwwNDg8KZzb3VyY2WkZWRnZaRiYXNly0J5qwJ/UAAAoW6TAwMBpGNvbHPE8AAA9o0Cq3lCAAAA" +
  "AAAA+H8AAAAAAAD4f8P1KFyPwu0/AAAAAAAA+H8AAAAAAAAxQAAAAAAAAPh/AAAAAAAA+H8AAAAAAAD4fwAAAAAAAPh/AAAAAAAA" +
  "+H9CkEcDFfaqjXECcSdi+Go9AQAAAAAAAMBnRSMB782riWdFIwEBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFAAAAYOoAAAAAAAA3" +
  "DB8AAAAhAAAAAAAHAAAACQAAAAAAAAD/////AAAAAAAAAAADAAAAAAAAAAAAAAACAAAAAAAAAAAAAAD0+wAAAAAAAAAAAAAAAAEA" +
  "AgABAKdzYW1wbGVzxHKDoW4CpGNvbHPEMAUAAABg6gAAAQAAAAEAAAD0+wAAAAAAAAAAAQCRgQAABgAFAAwAAAAEAAAAFAAAAKR0" +
  "ZXh0xDAvbG9naW5zaG9wLmV4YW1wbGVQT1NUOGYxYTJiM2M0ZDVlNmY3MC1BTVMvaMO2aGWoY291bnRlcnOUAM4AARFwAwA=";
