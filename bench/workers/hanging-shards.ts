/** The real Worker; settings answer, shards never do, so frames pile up in flight. */
import { Acking, Hanging } from "./stand-in.ts";

export { default } from "../../src/index.ts";

export class FingerprintShard extends Hanging {}
export class Census extends Acking {}
export class AnomalyFeed extends Acking {}
export class Settings extends Acking {}
