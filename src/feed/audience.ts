/**
 * Who is sent what. Subscribers with the same filter and encoding are one group: an event is tested and encoded once a group,
 * however many they are, and sending it changes nothing that is a subscriber's own.
 *
 * Credit, therefore, is the difference of two totals: what the group has been sent, and what it had been sent when the
 * subscriber was last heard of. A subscriber is looked at when a part (1/LOOKS) of its credit has been used: only then is
 * asked for an automatic pong, which counts from that moment, so one that pinged and then stopped reading gets at most that
 * part more; one that never pings gets exactly its credit.
 *
 * What a socket carries over hibernation (`Membership`) is written when it is looked at, heard of, or sent a checkpoint, and
 * for all when SAVE_EVENTS events have passed. What was sent since is counted from the table on waking, so nothing is lost
 * that was not written, and at most SAVE_EVENTS events and those of one append are read for it.
 */
import { FEED_CHECKPOINT_MS } from "../base/feed-limits.ts";
import { FRESH_CREDIT, isExhausted, spend } from "./credit.ts";
import { type FeedFilter, filterTest } from "./filter.ts";
import {
  creditOf,
  frameOf,
  type Group,
  keyOf,
  type Member,
  type Membership,
  type Outlet,
  type PastEvent,
  SAVE_EVENTS,
  type StoredEvent,
  type Subprotocol,
  scheduleLook,
  toldOf,
} from "./membership.ts";

/** `WebSocket.OPEN`: https://websockets.spec.whatwg.org/#dom-websocket-open. */
const OPEN = 1;
const CLOSE_TRY_AGAIN = 1013;

/** What the audience needs done. */
export interface AudienceDeps<Socket> {
  /** Time of the last automatic pong, ms; 0 = never. */
  pongMs(socket: Socket): number;
  save(socket: Socket, membership: Membership): void;
}

/** All open sockets of a feed. */
export class Audience<Socket extends Outlet> {
  readonly #deps: AudienceDeps<Socket>;
  readonly #members = new Map<Socket, Member<Socket>>();
  readonly #groups = new Map<string, Group<Socket>>();
  /** Sequence of the newest event. */
  #newest: number;

  constructor(newest: number, deps: AudienceDeps<Socket>) {
    this.#newest = newest;
    this.#deps = deps;
  }

  get members(): ReadonlyMap<Socket, Member<Socket>> {
    return this.#members;
  }

  find(socket: Socket): Member<Socket> | undefined {
    return this.#members.get(socket);
  }

  /** Takes in sockets that were open before this instance; `eventsAfter` reads what was kept after a sequence. */
  restore(
    sockets: readonly (readonly [Socket, Membership])[],
    eventsAfter: (sequence: number) => readonly PastEvent[],
  ): void {
    const newest = this.#newest;
    for (const [socket, membership] of sockets) this.join(socket, membership);
    const from = Math.min(newest, ...[...this.#groups.values()].map(({ saved }) => saved));
    const past = from < newest ? eventsAfter(from) : [];
    const memberships = new Map(sockets);
    for (const group of this.#groups.values()) {
      const sent = past.filter(({ traits }) => group.wants(traits));
      group.shown = sent.at(-1)?.sequence ?? 0;
      for (const member of group.members) {
        this.#count(member, memberships.get(member.socket)!, sent);
        group.isWaiting ||= toldOf(member) < newest;
      }
    }
  }

  /** Takes a socket in; what is kept must be replayed to it before anything new comes. */
  join(socket: Socket, membership: Membership): Member<Socket> {
    const { filter, protocol, credit, errors, pongMs, saved, told, checkpointMs, proof } = membership;
    const group = this.#groupOf(filter, protocol);
    const member: Member<Socket> = {
      ...{ socket, group, errors, pongMs, proof },
      baseEvents: group.events - credit.events,
      baseBytes: group.bytes - credit.bytes,
      ...{ lookEvents: 0, lookBytes: 0 },
      told: told ?? this.#newest,
    };
    scheduleLook(member);
    group.saved = Math.min(group.saved, saved ?? this.#newest);
    group.checkpointMs = Math.max(group.checkpointMs, checkpointMs ?? 0);
    group.members.add(member);
    this.#members.set(socket, member);
    return member;
  }

  leave(socket: Socket): void {
    const member = this.#members.get(socket);
    if (member === undefined) return;
    this.#members.delete(socket);
    const { group } = member;
    group.members.delete(member);
    if (group.members.size === 0) this.#groups.delete(keyOf(group.filter, group.protocol));
  }

  /** Closes a socket from our side. */
  end({ socket }: Member<Socket>, code: number, reason: string): void {
    this.leave(socket);
    socket.close(code, reason);
  }

  /** Sends new events to everyone who wants them. */
  broadcast(fresh: readonly StoredEvent[]): void {
    for (const group of this.#groups.values()) this.#sendGroup(group, fresh);
    this.#newest = fresh.at(-1)?.sequence ?? this.#newest;
    for (const group of this.#groups.values()) {
      group.isWaiting ||= group.shown < this.#newest;
      if (this.#newest - group.saved < SAVE_EVENTS) continue;
      for (const member of group.members) this.save(member);
      group.saved = this.#newest;
    }
  }

  /** Sends one member what it missed; false when it was closed because that was more than its credit. */
  replay(member: Member<Socket>, events: readonly StoredEvent[]): boolean {
    const { group } = member;
    for (const event of events) {
      if (!group.wants(event.traits)) continue;
      if (!this.sendOwn(member, frameOf(group, event))) return false;
      member.told = event.sequence;
    }
    return true;
  }

  /** A member has got all that is kept. */
  settle(member: Member<Socket>): void {
    scheduleLook(member);
    member.group.isWaiting ||= toldOf(member) < this.#newest;
    this.save(member);
  }

  /** Sends a frame to one member alone, on its credit; false when that was used up and it was closed. */
  sendOwn(member: Member<Socket>, frame: string | Uint8Array): boolean {
    if (member.socket.readyState !== OPEN) {
      this.leave(member.socket);
      return false;
    }
    member.baseEvents--;
    member.baseBytes -= frame.length;
    if (isExhausted(creditOf(member))) {
      this.end(member, CLOSE_TRY_AGAIN, "too far behind: resume with your last cursor");
      return false;
    }
    member.socket.send(frame);
    return true;
  }

  /** The client gave a sign of life. */
  renew(member: Member<Socket>): void {
    member.baseEvents = member.group.events;
    member.baseBytes = member.group.bytes;
    scheduleLook(member);
    this.save(member);
  }

  save(member: Member<Socket>): void {
    const { group, errors, pongMs, proof } = member;
    const { filter, protocol, checkpointMs } = group;
    this.#deps.save(member.socket, {
      ...{ filter, protocol, credit: creditOf(member), errors, pongMs, checkpointMs },
      ...{ saved: this.#newest, told: toldOf(member) },
      ...(proof === undefined ? {} : { proof }),
    });
  }

  /** When the next checkpoint is to be sent, ms; `undefined` = every client's last frame tells all there is. */
  checkpointDueMs(): number | undefined {
    let dueMs: number | undefined;
    for (const { isWaiting, checkpointMs } of this.#groups.values()) {
      const atMs = checkpointMs + FEED_CHECKPOINT_MS;
      if (isWaiting && (dueMs === undefined || atMs < dueMs)) dueMs = atMs;
    }
    return dueMs;
  }

  /** Sends checkpoints that are due; `frame` makes one for a protocol that says the newest sequence. */
  checkpoint(nowMs: number, frame: (protocol: Subprotocol, sequence: number) => string | Uint8Array): void {
    for (const group of this.#groups.values()) {
      if (!group.isWaiting || group.checkpointMs + FEED_CHECKPOINT_MS > nowMs) continue;
      const said = frame(group.protocol, this.#newest);
      group.checkpointMs = nowMs;
      group.isWaiting = false;
      for (const member of group.members) {
        if (toldOf(member) >= this.#newest || !this.sendOwn(member, said)) continue;
        member.told = this.#newest;
        scheduleLook(member);
        this.save(member);
      }
    }
  }

  #sendGroup(group: Group<Socket>, fresh: readonly StoredEvent[]): void {
    const frames: (string | Uint8Array)[] = [];
    let bytes = 0;
    let { shown } = group;
    for (const event of fresh) {
      if (!group.wants(event.traits)) continue;
      const frame = frameOf(group, event);
      frames.push(frame);
      bytes += frame.length;
      shown = event.sequence;
    }
    if (frames.length === 0) return;
    const eventsAfter = group.events + frames.length;
    const bytesAfter = group.bytes + bytes;
    for (const member of group.members) {
      const { socket } = member;
      // A socket that is closing is still listed, with nothing to send to.
      if (socket.readyState !== OPEN) this.leave(socket);
      else if (eventsAfter > member.lookEvents || bytesAfter > member.lookBytes)
        this.#sendLooking(member, frames, bytes);
      else for (const frame of frames) socket.send(frame);
    }
    group.events = eventsAfter;
    group.bytes = bytesAfter;
    group.shown = shown;
  }

  /** Sends with a look at whether the member still listens, and at its credit frame by frame. */
  #sendLooking(member: Member<Socket>, frames: readonly (string | Uint8Array)[], bytes: number): void {
    const pongMs = this.#deps.pongMs(member.socket);
    if (pongMs > member.pongMs) {
      member.pongMs = pongMs;
      member.baseEvents = member.group.events;
      member.baseBytes = member.group.bytes;
    }
    this.save(member);
    for (const frame of frames) if (!this.sendOwn(member, frame)) return;
    // They were the group's, and are counted with it.
    member.baseEvents += frames.length;
    member.baseBytes += bytes;
    scheduleLook(member);
  }

  /** Counts what was sent since the membership was written, from what is kept. */
  #count(member: Member<Socket>, membership: Membership, sent: readonly PastEvent[]): void {
    const { saved = this.#newest, renewed = 0, credit } = membership;
    const pongMs = this.#deps.pongMs(member.socket);
    // One that was written had looked at the pong: a newer one came after it.
    const isHeard = pongMs > membership.pongMs;
    member.pongMs = Math.max(pongMs, membership.pongMs);
    let used = isHeard || renewed >= saved ? FRESH_CREDIT : credit;
    for (let i = sent.length - 1; i >= 0; i--) {
      const { sequence, atMs, length } = sent[i]!;
      if (sequence <= Math.max(saved, renewed) || (isHeard && atMs <= pongMs)) break;
      used = spend(used, length);
    }
    member.baseEvents = -used.events;
    member.baseBytes = -used.bytes;
    scheduleLook(member);
  }

  #groupOf(filter: FeedFilter, protocol: Subprotocol): Group<Socket> {
    const key = keyOf(filter, protocol);
    const held = this.#groups.get(key);
    if (held !== undefined) return held;
    const made: Group<Socket> = {
      ...{ filter, protocol, wants: filterTest(filter), members: new Set() },
      ...{ events: 0, bytes: 0, shown: 0, saved: this.#newest, isWaiting: false, checkpointMs: 0 },
    };
    this.#groups.set(key, made);
    return made;
  }
}
