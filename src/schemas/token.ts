/** Tokens and the audit record as users write and read them (contract §2). */
import * as z from "zod/mini";
import { SCOPES, SITE_FORM } from "../options.ts";
import { components, overlap, pageOf, time } from "./common.ts";

const SITES_MAX = 100;
const NAME_MAX_CHARS = 100;

const scope = z.enum(SCOPES);
const siteName = z
  .string()
  .check(
    z.refine((text) => text === "*" || SITE_FORM.test(text), "`*` or a name of 1 to 63 of a–z, 0–9 and -"),
  );
const unique = <T>(items: T[]) => new Set(items).size === items.length;

export const tokenInput = z
  .strictObject({
    name: z.string().check(
      z.minLength(1),
      z.maxLength(NAME_MAX_CHARS),
      z.refine((text) => !/\p{Cc}/u.test(text), "control characters are not allowed"),
    ),
    scopes: z.array(scope).check(z.minLength(1), z.refine(unique, "each scope once")),
    // The list first: of two forms that fit equally badly its faults are told.
    sites: z.union([
      z.array(siteName).check(z.minLength(1), z.maxLength(SITES_MAX), z.refine(unique, "each site once")),
      z.literal("*"),
    ]),
    expires_at: z.optional(z.iso.datetime({ offset: true })),
  })
  .register(components, {
    id: "TokenInput",
    description: 'A token to make; `"sites":["*"]` or `"*"` = every site.',
  });
/** What is made of it: `"*"` is the list of it. */
export type TokenInput = Omit<z.infer<typeof tokenInput>, "sites"> & { sites: string[] };

export const tokenRotation = z.strictObject({ overlap: z._default(overlap, "0s") }).register(components, {
  id: "TokenRotation",
  description: "How long the secrets of before stay valid beside the new one; by default not at all.",
});

export const tokenOutput = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(scope),
    sites: z.array(z.string()),
    created_at: z.optional(time),
    expires_at: z.optional(time),
    rotated_at: z.optional(time),
    overlap_until: z.optional(time),
    static: z.optional(z.literal(true)),
  })
  .register(components, {
    id: "Token",
    description:
      "A token without its secret. `static` = configured in API_TOKENS, cannot be changed here; `overlap_until` = a secret of before its last rotation is valid until then.",
  });
export type TokenOutput = z.infer<typeof tokenOutput>;

export const tokenWithSecret = z
  .extend(tokenOutput, { token: z.string() })
  .register(components, { id: "TokenWithSecret", description: "The only answer that holds the secret." });

export const tokenList = pageOf(tokenOutput);

export const actor = z
  .union([z.object({ token: z.string() }), z.object({ access: z.string() })])
  .register(components, {
    id: "Actor",
    description: "Who did it: the id of a token, or the e-mail address of a Cloudflare Access user.",
  });
export type Actor = z.infer<typeof actor>;

export const auditItem = z
  .object({
    id: z.string(),
    at: time,
    actor,
    action: z.string(),
    site: z.optional(z.string()),
    target: z.optional(z.string()),
    status: z.optional(z.int()),
    request_id: z.string(),
  })
  .register(components, {
    id: "AuditItem",
    description:
      "One change. It is recorded before the change is tried; `status` is how it was answered, absent while it runs and for good when the end could not be recorded.",
  });
export type AuditItem = z.infer<typeof auditItem>;

export const auditList = pageOf(auditItem);
