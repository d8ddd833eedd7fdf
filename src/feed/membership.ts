/**
 * One subscriber of the feed: what it counts while it is awake (`Member`, in a `Group` of those who are sent the same), and what
 * its socket carries over hibernation (`Membership`).
 */
import { FEED_UNACKED_MAX_BYTES, FEED_UNACKED_MAX_EVENTS } from "../base/feed-limits.ts";
import { pack } from "../wire/codec.ts";
import { type Credit, FRESH_CREDIT } from "./credit.ts";
import type { EventTraits, FeedFilter } from "./filter.ts";
import type { Proof } from "./proof.ts";

/** A subscriber is looked at when one part in so many of its credit has been used. */
const LOOKS = 8;
const LOOK_EVENTS = FEED_UNACKED_MAX_EVENTS / LOOKS;
const LOOK_BYTES = FEED_UNACKED_MAX_BYTES / LOOKS;
/** Events after which every membership is written again: so many are read on waking. */
export const SAVE_EVENTS = LOOK_EVENTS;

/** Names of the CloudEvents WebSocket binding; the first is the default. */
export const SUBPROTOCOLS = ["cloudevents.json", "cloudevents.msgpack"] as const;
export type Subprotocol = (typeof SUBPROTOCOLS)[number];

export interface StoredEvent {
  sequence: number;
  traits: EventTraits;
  /** As JSON, with its sequence. */
  text: string;
  /** The same as msgpack, once somebody wanted it. */
  packed?: Uint8Array;
}

/** A kept event, as far as it is counted on waking. */
export interface PastEvent {
  sequence: number;
  atMs: number;
  traits: EventTraits;
  /** Characters of its JSON; of msgpack that is a little too much. */
  length: number;
}

/** What is needed of a socket. */
export interface Outlet {
  readonly readyState: number;
  send(frame: string | Uint8Array): void;
  close(code: number, reason: string): void;
}

/** What a socket carries over hibernation, as plain data. Optional members are absent in what earlier code wrote. */
export interface Membership {
  filter: FeedFilter;
  protocol: Subprotocol;
  /** Used up when this was written. */
  credit: Credit;
  /** Frames that were not understood. */
  errors: number;
  /** Time of the last automatic pong that the credit was renewed for, ms. */
  pongMs: number;
  /** The newest sequence when this was written; absent = that of now. */
  saved?: number;
  /** The newest sequence when it was last heard of while nobody kept count; credit counts from there. */
  renewed?: number;
  /** The sequence up to which it knows that it has everything; absent = the newest. */
  told?: number;
  /** Time of its last checkpoint, ms. */
  checkpointMs?: number;
  /** What it was opened with; absent = nothing that could end. */
  proof?: Proof;
}

export interface Group<Socket> {
  readonly filter: FeedFilter;
  readonly protocol: Subprotocol;
  readonly wants: (event: EventTraits) => boolean;
  readonly members: Set<Member<Socket>>;
  /** Sent to all of them since this instance began. */
  events: number;
  bytes: number;
  /** Sequence of the last event that they were sent. */
  shown: number;
  /** The oldest `saved` among them. */
  saved: number;
  /** Whether hidden events passed since some member's last frame. */
  isWaiting: boolean;
  checkpointMs: number;
}

export interface Member<Socket> {
  readonly socket: Socket;
  readonly group: Group<Socket>;
  /** The group's totals when it was last heard of, less what it alone was sent since. */
  baseEvents: number;
  baseBytes: number;
  /** The group's totals past which it is looked at again. */
  lookEvents: number;
  lookBytes: number;
  errors: number;
  pongMs: number;
  /** Sequence that the last frame of its own told. */
  told: number;
  proof: Proof | undefined;
}

/** A membership after a sign of life that came while nobody kept count. */
export function renewedMembership(membership: Membership, newest: number): Membership {
  return { ...membership, credit: FRESH_CREDIT, renewed: newest };
}

/** What it has used up. */
export function creditOf({ group, baseEvents, baseBytes }: Member<unknown>): Credit {
  return { events: group.events - baseEvents, bytes: group.bytes - baseBytes };
}

/** The sequence up to which it knows that it has everything. */
export function toldOf({ told, group }: Member<unknown>): number {
  return Math.max(told, group.shown);
}

/** Looks at it again after a part of its credit, and no later than where that ends. */
export function scheduleLook(member: Member<unknown>): void {
  const { group, baseEvents, baseBytes } = member;
  member.lookEvents = Math.min(group.events + LOOK_EVENTS, baseEvents + FEED_UNACKED_MAX_EVENTS);
  member.lookBytes = Math.min(group.bytes + LOOK_BYTES, baseBytes + FEED_UNACKED_MAX_BYTES);
}

/** Names the group of those who are sent the same. */
export function keyOf(filter: FeedFilter, protocol: Subprotocol): string {
  return `${protocol} ${JSON.stringify(filter)}`;
}

/** The event in the group's encoding; packed once, however many want it. */
export function frameOf({ protocol }: Group<unknown>, event: StoredEvent): string | Uint8Array {
  if (protocol === "cloudevents.json") return event.text;
  event.packed ??= pack(JSON.parse(event.text));
  return event.packed;
}
