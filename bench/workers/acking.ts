/** The real Worker with objects that cost nothing: what is left is the edge's own share. */
import { Acking } from "./stand-in.ts";

export { default } from "../../src/index.ts";

export class FingerprintShard extends Acking {}
export class Census extends Acking {}
export class AnomalyFeed extends Acking {}
export class Settings extends Acking {}
