/** The peer that also keeps what it sends: as with the feed, the platform holds the sends until the rows are durable. */
import { AnomalyFeed as Broadcast } from "./feed-broadcast.ts";
import { driver } from "./feed-driver.ts";

export class AnomalyFeed extends Broadcast {
  constructor(...args: ConstructorParameters<typeof Broadcast>) {
    super(...args);
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, event TEXT)");
  }

  override append(source: string, events: { n: number; event: string }[]): number {
    for (const { event } of events) this.ctx.storage.sql.exec("INSERT INTO events (event) VALUES (?)", event);
    return super.append(source, events);
  }
}

export { Census, FingerprintShard, Settings } from "./feed-broadcast.ts";

export default driver;
