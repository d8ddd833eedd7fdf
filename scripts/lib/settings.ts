/** From flags and environment to the text bindings that the Worker gets; nothing else reaches its process. */
import { createHash, randomBytes } from "node:crypto";
import { parseOptions } from "../../src/options.ts";
import { type Environment, type ServeArgs, SITES_DEFAULT } from "./args.ts";
import { errorText, Failure } from "./failure.ts";

/** The settings that scripts/workerd/common.capnp binds, by the same names. */
export const SETTING_NAMES = [
  "SITES",
  "SHARDS",
  "API_TOKENS",
  "API_HOSTS",
  "ORIGIN_URL",
  "JA4_HEADER",
  "HASH_KEY",
  "OBSERVE",
  "TICK",
  "FLUSH",
  "ALLOWED_ORIGINS",
  "JURISDICTION",
  "REGION",
  "SIGNALS_HEADER",
  "FINGERPRINT",
  "PUBLIC_URL",
  "ACCESS_TEAM",
  "ACCESS_AUD",
  "ACCESS_SCOPES",
  "ACCESS_SITES",
  "RATE_LIMIT",
  "WEBHOOK_TEST_TARGETS",
] as const;

export type SettingName = (typeof SETTING_NAMES)[number];
export type SettingTexts = Partial<Record<SettingName, string>>;

const ALL_SCOPES = ["ingest", "read", "feed", "write", "admin"];
const TOKEN_BYTES = 32;

export function makeToken(): string {
  return randomBytes(TOKEN_BYTES).toString("base64url");
}

export function buildSettings(
  args: Pick<ServeArgs, "sites" | "shards">,
  environment: Environment,
  token: string,
  publicUrl: string,
): SettingTexts {
  const settings: SettingTexts = {};
  for (const name of SETTING_NAMES) {
    const text = environment[name];
    if (text !== undefined && text !== "") settings[name] = text;
  }
  settings.SITES = sitesText(args.sites, settings.SITES);
  if (args.shards !== undefined) settings.SHARDS = args.shards;
  settings.API_TOKENS = tokensText(token, settings.API_TOKENS);
  settings.PUBLIC_URL ??= publicUrl;
  checkSettings(settings);
  return settings;
}

function sitesText(flag: readonly string[] | undefined, variable: string | undefined): string {
  if (flag === undefined && variable !== undefined) return variable;
  // Sites given by name have no hosts of their own: they exist for the API only.
  return JSON.stringify(Object.fromEntries((flag ?? SITES_DEFAULT).map((site) => [site, []])));
}

/** Only the digest goes on: neither the server's process nor its storage ever holds the token. */
function tokensText(token: string, variable: string | undefined): string {
  const sha256 = createHash("sha256").update(token).digest("hex");
  const own = { name: "serve", sha256, scopes: ALL_SCOPES, sites: ["*"] };
  return JSON.stringify([own, ...parseTokens(variable)]);
}

function parseTokens(variable: string | undefined): unknown[] {
  if (variable === undefined) return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(variable);
  } catch {
    parsed = undefined;
  }
  // The text holds digests, not tokens, but stays out of the message all the same.
  if (!Array.isArray(parsed)) throw new Failure("API_TOKENS: not a JSON array");
  return parsed;
}

function checkSettings(settings: SettingTexts): void {
  try {
    parseOptions(settings);
  } catch (error) {
    throw new Failure(errorText(error));
  }
}
