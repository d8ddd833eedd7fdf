import { findChromium } from "../support/chromium.ts";

/** Without a browser nothing is run, and nothing is taken for passed. */
export default function setup(): void {
  findChromium(process.env);
}
