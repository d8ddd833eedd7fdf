/** V8's flags for an engine that a benchmark or a fault run starts. */
import { readFileSync, writeFileSync } from "node:fs";
import { Failure } from "./failure.ts";

const SERVICES = "  services = [";

/** Puts V8's flags (workerd.capnp, Config.v8Flags) into a copy of a configuration: every `Config` of the file. */
export function addV8Flags(file: string, flags: readonly string[]): void {
  const text = readFileSync(file, "utf8");
  if (!text.includes(SERVICES)) throw new Failure("the configuration has no place for V8's flags");
  writeFileSync(file, text.replaceAll(SERVICES, `  v8Flags = ${JSON.stringify(flags)},\n${SERVICES}`));
}
