/** What all resources that users write by id have in common (contract §2). */
import * as z from "zod/mini";
import { canonicalJson } from "../base/json.ts";

const ITEM_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
export const itemId = z.string().check(z.regex(ITEM_ID, "an id has 1 to 63 of a–z, 0–9 and -"));

/** A member that the server makes: it may be sent back as it was read, and is ignored. */
export const serverMade = z.optional(z.readonly(z.unknown()));

/** The times of every item, in what users write. */
export const itemTimes = { created_at: serverMade, updated_at: serverMade };

type ServerMade = "created_at" | "updated_at" | "active";
export type WithoutServerMade<Input> = Omit<Input, ServerMade>;

/** What of a body is the user's. */
export function withoutServerMade<Input extends object>(
  input: Input & Partial<Record<ServerMade, unknown>>,
): WithoutServerMade<Input> {
  const { created_at: _, updated_at: __, active: ___, ...own } = input;
  return own;
}

/** Whether a stored item says what was written, its times aside. */
export function isSameItem(
  { created_at: _, updated_at: __, ...held }: { id: string; created_at: string; updated_at: string },
  written: { id: string },
): boolean {
  return canonicalJson(held) === canonicalJson(written);
}
