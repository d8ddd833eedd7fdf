import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** The dashboard: one page, one script, one style sheet, all from the server itself. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "/",
  publicDir: false,
  // Said here, so that a build in a test is the build that users get.
  oxc: { jsx: { runtime: "automatic", importSource: "preact", development: false } },
  build: {
    target: "es2023",
    // An inlined file would be a data: address, which the policy forbids.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
});
