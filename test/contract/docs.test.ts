/** What README and docs tell people to type: run as it stands, or, where it needs an account or a long time, held to what exists. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startServer } from "../support/server.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGES = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md"],
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
].sort();
const FENCE = /^( *)```(\w*)(?: (\S+))?\n([\s\S]*?)^ *```$/gm;
const EXAMPLE_URL = "http://127.0.0.1:8787";
const EXAMPLE_TOKEN = "try-me";
/** curl ends with 0 whatever the server says. */
const STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n';

const textOf = (page: string) => readFileSync(join(ROOT, page), "utf8");

/** The programs of a page in a language; those with a name of their own are run elsewhere. */
function fences(page: string, language: string): string[] {
  return [...textOf(page).matchAll(FENCE)].flatMap(([, , found, name, code = ""]) =>
    found === language && name === undefined ? [code] : [],
  );
}

const withExamples = PAGES.filter((page) => fences(page, "sh").length > 0);
/** What examples call that a machine may not have. */
const TOOLS = ["curl", "openssl", "python3"].map((name) => ({
  name,
  isThere: spawnSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" }).status === 0,
}));
const missingFor = (script: string) =>
  TOOLS.filter(({ name, isThere }) => !isThere && new RegExp(`\\b${name}\\b`).test(script)).map(
    ({ name }) => name,
  );

/** A folder that looks like the project and can be written to. */
function workshop(): string {
  const dir = mkdtempSync(join(tmpdir(), "hellotide-docs-"));
  for (const name of readdirSync(ROOT))
    if (!name.startsWith(".")) symlinkSync(join(ROOT, name), join(dir, name));
  return dir;
}

describe("the docs", () => {
  it.for(withExamples)(
    "GUIDE-1: the shell examples of %s run as they stand",
    { timeout: 90_000 },
    async (page, { skip }) => {
      const missing = missingFor(fences(page, "sh").join("\n"));
      if (missing.length > 0)
        skip(`without ${missing.join(", ")}; on Debian: apt-get install -y ${missing.join(" ")}`);
      const server = await startServer({ sites: ["shop"] });
      const dir = workshop();
      try {
        const script = fences(page, "sh")
          .join("\n")
          .replaceAll(EXAMPLE_URL, server.url)
          .replaceAll(EXAMPLE_TOKEN, server.token);
        const env = {
          ...process.env,
          HELLOTIDE_URL: server.url,
          HELLOTIDE_TOKEN: server.token,
          URL: server.url,
          TOKEN: server.token,
        };
        const done = spawnSync("bash", ["-c", STRICT + script], {
          cwd: dir,
          env,
          encoding: "utf8",
          timeout: 60_000,
        });
        expect([
          done.status,
          done.status === 0 ? "" : `${done.stdout.slice(-2_000)}${done.stderr.slice(-2_000)}`,
        ]).toEqual([0, ""]);
        expect(done.stdout).not.toBe("");
      } finally {
        await server.stop();
        rmSync(dir, { recursive: true, force: true });
      }
    },
  );

  it("GUIDE-1: an example that fails is a failure, and one that the server refuses", () => {
    const run = (line: string) =>
      spawnSync("bash", ["-c", `${STRICT}${line}\necho end`], { encoding: "utf8" }).status;
    expect(run("true")).toBe(0);
    expect(run("false")).not.toBe(0);
    expect(run("curl -s http://127.0.0.1:9/ | cat")).not.toBe(0);
  });

  it("GUIDE-2: the npm scripts that pages name exist, and take the flags that pages give them", () => {
    const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
    const faults: string[] = [];
    const help = new Map<string, string>();
    for (const page of PAGES.filter((name) => !name.includes("decisions"))) {
      for (const [, name = "", rest = ""] of textOf(page).matchAll(
        /npm run (?:-s )?([a-z]+(?::[a-z]+)?)((?: [^`\n|]*)?)/g,
      )) {
        const script = scripts[name];
        if (script === undefined) faults.push(`${page}: npm run ${name}`);
        const file = /^exec node (scripts\/\S+\.ts)$/.exec(script ?? "")?.[1];
        const flags = [...rest.matchAll(/ (--[a-z][a-z0-9-]*)/g)].map(([, flag]) => flag!);
        if (file === undefined || flags.length === 0) continue;
        if (!help.has(file))
          help.set(
            file,
            spawnSync(process.execPath, [join(ROOT, file), "--help"], { cwd: ROOT, encoding: "utf8" }).stdout,
          );
        for (const flag of flags)
          if (!help.get(file)?.includes(flag)) faults.push(`${page}: npm run ${name} has no ${flag}`);
      }
    }
    expect(faults).toEqual([]);
    expect(help.size).toBeGreaterThan(5);
  }, 60_000);

  it("GUIDE-2: test files and wrangler's commands that pages name exist", () => {
    const known = spawnSync("npx", ["--no-install", "wrangler", "--help"], {
      cwd: ROOT,
      encoding: "utf8",
    }).stdout;
    const faults: string[] = [];
    for (const page of PAGES) {
      for (const [, file = ""] of textOf(page).matchAll(/\b(test\/[a-z/-]+\.test\.ts)/g))
        if (!readable(file)) faults.push(`${page}: ${file}`);
      for (const [, command = ""] of textOf(page).matchAll(/npx wrangler ([a-z-]+)/g))
        if (!known.includes(`wrangler ${command} `)) faults.push(`${page}: wrangler ${command}`);
    }
    expect(known).toContain("wrangler deploy ");
    expect(faults).toEqual([]);
  }, 60_000);

  it("GUIDE-3: links within the project lead to a file, and to a heading of it", () => {
    const faults: string[] = [];
    let seen = 0;
    for (const page of PAGES) {
      for (const [, target = ""] of textOf(page)
        .replaceAll(/```[\s\S]*?```/g, "")
        .matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        seen++;
        const [path = "", heading] = target.split("#");
        const file = path === "" ? page : join(dirname(page), path);
        if (!readable(file)) faults.push(`${page}: ${target}`);
        else if (heading !== undefined && !headingsOf(file).includes(heading))
          faults.push(`${page}: ${target}`);
      }
    }
    expect(faults).toEqual([]);
    expect(seen).toBeGreaterThan(60);
  });

  it("GUIDE-4: the architecture names every folder of src/ and every class of objects", () => {
    const page = textOf("docs/architecture.md");
    const names = [
      ...readdirSync(join(ROOT, "src")).filter((name) => name !== "index.ts" && !name.endsWith(".ts")),
      ...readdirSync(join(ROOT, "src")).filter((name) => name.endsWith(".ts")),
      ...["FingerprintShard", "Census", "AnomalyFeed", "Settings"],
    ];
    expect(names.filter((name) => !new RegExp(`(?:src/)?${name}\\b`).test(page))).toEqual([]);
  });

  it("GUIDE-5: rules and dashboard ask for metrics that the server has", async () => {
    const server = await startServer({ sites: ["shop"] });
    try {
      const answer = await fetch(`${server.url}/metrics`, {
        headers: { authorization: `Bearer ${server.token}` },
      });
      const text = await answer.text();
      const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) =>
        type === "counter" ? `${name}_total` : name!,
      );
      for (const file of ["deploy/prometheus-rules.yml", "deploy/grafana.json"]) {
        const asked = [...new Set([...textOf(file).matchAll(/\bhellotide_\w+/g)].map(([name]) => name))];
        expect(asked.filter((name) => !families.includes(name))).toEqual([]);
        expect(asked.length).toBeGreaterThan(4);
      }
      expect(() => JSON.parse(textOf("deploy/grafana.json"))).not.toThrow();
    } finally {
      await server.stop();
    }
  }, 60_000);
});

function readable(file: string): boolean {
  try {
    if (!file.endsWith("/")) readFileSync(join(ROOT, file));
    else readdirSync(join(ROOT, file));
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EISDIR";
  }
}

/** As GitHub makes anchors of headings. */
function headingsOf(file: string): string[] {
  return [...textOf(file).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
