/**
 * A disk that is full for a while. The disk is a small tmpfs in a mount namespace of a process of its own
 * (unshare(1), user_namespaces(7)), so that nothing of the machine changes and no privilege is needed where user
 * namespaces are allowed; where they are not, the run is skipped.
 */
import { spawn, spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adopt } from "../bench/processes.ts";
import { Failure } from "../failure.ts";
import { ROOT } from "../paths.ts";
import { type Fault, type Figure, Skipped } from "./fault.ts";

/** New user and mount namespace, in which the caller is root. */
const NAMESPACE = ["unshare", "--map-root-user", "--mount", "--"];

export const disk: Fault = {
  name: "disk",
  about: "a full disk: refusals, nothing acknowledged lost, recovery without a restart",
  run: async ({ quick }) => {
    const [program = "", ...flags] = NAMESPACE;
    const tried = spawnSync(program, [...flags, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmpdir()], {
      encoding: "utf8",
    });
    if (tried.status !== 0)
      throw new Skipped(`no tmpfs of its own: ${tried.stderr ?? tried.error?.message}`.trim());
    const script = join(ROOT, "scripts", "lib", "faults", "processes", "disk.ts");
    const args = [...flags, process.execPath, script, JSON.stringify({ quick })];
    const child = adopt(spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] }));
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code !== 0) throw new Failure(`the process with the full disk ended with code ${code}`);
    // The process is our own, so the form of its output is known.
    return JSON.parse(output) as Figure[];
  },
};
