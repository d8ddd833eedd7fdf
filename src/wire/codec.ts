/**
 * msgpack in and out; the only file that imports msgpackr, whose typings return `any`.
 *
 * `unpack` is called on prescanned bytes only (`prescan.ts`): even with `useRecords: false` msgpackr builds RegExp,
 * BigInt and records from extension bytes, and its errors repeat payload text.
 */
import { Packr, Unpackr } from "msgpackr";

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });

/** A copy of its own: `pack` answers with a view on a large shared buffer, which RPC and SQLite would send whole. */
export function pack(value: unknown): Uint8Array {
  return new Uint8Array(packr.pack(value));
}

/** Throws on what is not msgpack; the message is not for users. Binary values are views on `bytes`. */
export function unpack(bytes: Uint8Array): unknown {
  // A view of its own: msgpackr leaves a DataView on the object that it is given.
  return unpackr.unpack(bytes.subarray()) as unknown;
}
