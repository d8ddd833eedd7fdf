/**
 * Pieces of the outside that several schemas share. Every request, answer and event is one zod schema from which come
 * its type, its validation, its error pointers and its part of the OpenAPI document.
 */
import * as z from "zod/mini";
import { ROTATION_OVERLAP_MAX_MS } from "../base/account-limits.ts";
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from "../base/read-limits.ts";
import { parseDuration } from "../base/time.ts";
import { WINDOWS } from "../config.ts";
import { parseCursor } from "../feed/cursor.ts";
import { JA4_FORM, JA4_GLOB_FORM } from "../wire/ja4.ts";

/** Named parts of the OpenAPI document (`#/components/schemas/{id}`). */
export const components = z.registry<{ id: string; description: string }>();

export const ja4 = z.string().check(z.regex(JA4_FORM, "neither a JA4 nor a pseudo fingerprint"));
export const ja4Glob = z
  .string()
  .check(z.regex(JA4_GLOB_FORM, "a glob has 1 to 64 letters, digits, `_` and `*`"));
export const time = z.iso.datetime({ precision: 3 });
export const count = z.int().check(z.gte(0));
export const ratio = z.number().check(z.gte(0), z.lte(1));
export const rank = z.int().check(z.gte(1));
export const windowName = z.enum(WINDOWS);
export const cursor = z.string().check(z.regex(/^\d{1,16}$/));
/** Present where counts of the hour are scaled up from sampled uploads. */
export const sampled = z.optional(z.literal(true));
/** Shards that did not answer. */
export const partial = z.optional(z.object({ missing_shards: z.array(count) }));
/** A page of a list; `next_cursor` is absent on the last one. */
export const pageOf = <Item extends z.ZodMiniType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.optional(z.string()) });
/** What an answer to a body of records tells of them; all but `without_ja4` are apart from one another. */
export const recordCounts = {
  accepted: count,
  rejected: count,
  expired: count,
  without_ja4: count,
  errors: z.array(z.object({ index: count, detail: z.string() })),
};
/** `limit` of a list's query. */
export const pageLimit = z._default(
  z.coerce.number().check(z.int(), z.gte(1), z.lte(LIST_LIMIT_MAX)),
  LIST_LIMIT_DEFAULT,
);
/** A place among the feed's events, in a query. */
export const feedPosition = z
  .string()
  .check(z.refine((text) => parseCursor(text) !== undefined, "not a cursor"));
/** Some of these names with commas between, in a query. */
export const namesOf = (known: readonly string[]) =>
  z
    .string()
    .check(
      z.refine((list) => list.split(",").every((name) => known.includes(name)), `not of ${known.join(", ")}`),
    );
export const duration = z.string().check(z.regex(/^\d{1,6}(s|m|h|d)$/));
/** How long the secret of before a rotation still counts. */
export const overlap = duration.check(
  z.refine((text) => (parseDuration(text) ?? 0) <= ROTATION_OVERLAP_MAX_MS, "a duration from 0s to 7d"),
);

const fault = z.object({ pointer: z.string(), detail: z.string() }).register(components, {
  id: "Fault",
  description: "One fault of the body; `pointer` is an RFC 6901 JSON Pointer.",
});

export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int().check(z.gte(400), z.lte(599)),
    detail: z.string(),
    instance: z.string(),
    errors: z.optional(z.array(fault)),
    counted: z.optional(count),
  })
  .register(components, {
    id: "Problem",
    description: "RFC 9457 problem details; `instance` is the request's id.",
  });
