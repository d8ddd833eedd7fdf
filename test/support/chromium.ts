/** The browser of the machine: it is installed by the system's package manager, never fetched by a test. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/** Root has no sandbox, a container little shared memory; the rest keeps the browser from calling home. */
const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

/** Path of Chromium or Chrome: `CHROME_PATH`, else the first on `PATH`. Throws with the line that installs one. */
export function findChromium(env: Readonly<Record<string, string | undefined>>): string {
  const { CHROME_PATH: own, PATH: path = "" } = env;
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  const candidates = own ? [own] : NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    `${own ? `CHROME_PATH=${own} is no program` : "no Chromium on PATH"}; install one: apt-get install -y chromium (or set CHROME_PATH)`,
  );
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(process.env), headless: true, args: FLAGS });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
