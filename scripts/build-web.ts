/** `npm run build:web`: the dashboard's files, in dist/web. */
import { report } from "./lib/command.ts";
import { buildWeb } from "./lib/web.ts";

try {
  await buildWeb();
} catch (error) {
  process.exitCode = report("build:web", error);
}
