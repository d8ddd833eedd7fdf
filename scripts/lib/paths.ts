/** The project's own folder: scripts work from any working directory. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The built dashboard; wrangler.toml names it too. */
export const WEB_DIR = join(ROOT, "dist", "web");
