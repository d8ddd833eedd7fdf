/** The real Worker; every object fails every call. */
import { Failing } from "./stand-in.ts";

export { default } from "../../src/index.ts";

export class FingerprintShard extends Failing {}
export class Census extends Failing {}
export class AnomalyFeed extends Failing {}
export class Settings extends Failing {}
