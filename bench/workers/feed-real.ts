/** The product's own feed under the driver. */
import { driver } from "./feed-driver.ts";

export { AnomalyFeed, Census, FingerprintShard, Settings } from "../../src/index.ts";

export default driver;
