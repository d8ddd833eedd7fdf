/** The real Worker; no object ever answers. */
import { Hanging } from "./stand-in.ts";

export { default } from "../../src/index.ts";

export class FingerprintShard extends Hanging {}
export class Census extends Hanging {}
export class AnomalyFeed extends Hanging {}
export class Settings extends Hanging {}
