/** Single values of the unchecked environment, by their form: what is wrong is an error of one line that names the setting. */
import { SECOND_MS } from "../config.ts";
import { parseDuration } from "./time.ts";

export type Environment = Record<string, unknown>;

/** A setting that cannot be; the message names it and never holds its value. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

/** `wanted`: what would have been right, for the message. */
export function wrongSetting(name: string, wanted: string): SettingError {
  return new SettingError(`${name} is wrong: expected ${wanted}`);
}

/** A setting as text; unset, empty and `null` (an unset variable of the local engine) are the same. */
export function settingText(env: Environment, name: string): string | undefined {
  const value = env[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string") return value.trim();
  if (typeof value === "number") return String(value);
  throw wrongSetting(name, "text");
}

/** Texts with commas between, in lower case; unset = none. */
export function settingList(env: Environment, name: string): string[] {
  const value = settingText(env, name);
  return value === undefined ? [] : value.split(",").flatMap((item) => item.trim().toLowerCase() || []);
}

/** What JSON says; `undefined` = unset. Throws what was `wanted`. */
export function settingJson(env: Environment, name: string, wanted: string): unknown {
  const value = env[name];
  // wrangler.toml may hold a table instead of text.
  if (typeof value === "object" && value !== null) return value;
  const source = settingText(env, name);
  if (source === undefined) return undefined;
  try {
    return JSON.parse(source) as unknown;
  } catch {
    throw wrongSetting(name, wanted);
  }
}

/** A whole number. Throws outside of its bounds. */
export function settingCount(
  env: Environment,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const value = settingText(env, name);
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max)
    throw wrongSetting(name, `a number from ${min} to ${max}`);
  return number;
}

/** Milliseconds of a duration such as `10s`. Throws outside of its bounds. */
export function settingDuration(
  env: Environment,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const value = settingText(env, name);
  if (value === undefined) return fallback;
  const ms = parseDuration(value);
  if (ms === undefined || ms < min || ms > max) {
    throw wrongSetting(name, `a duration from ${min / SECOND_MS}s to ${max / SECOND_MS}s`);
  }
  return ms;
}

/** Scheme, host and port of a URL, as written but for a slash at the end. */
export function settingOrigin(env: Environment, name: string): string | undefined {
  const value = settingText(env, name)?.replace(/\/$/, "");
  if (value !== undefined && !/^https?:\/\/[^/?#@\s]+$/.test(value)) {
    throw wrongSetting(name, "an origin such as https://www.example.com");
  }
  return value;
}

/** One of some words. */
export function settingOf(env: Environment, name: string, values: string[]): string | undefined {
  const value = settingText(env, name);
  if (value !== undefined && !values.includes(value)) throw wrongSetting(name, values.join(", "));
  return value;
}
