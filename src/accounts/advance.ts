/**
 * Advances the account of a run by what messages told about it: a pure function over a value.
 *
 * It must see **every** message, before duplicates are removed, and every note, whatever became of the sample that
 * carried it. What it promises: repeats change nothing, and the order of samples, notes and dead letters does not
 * matter, so messages may be replayed, overtake each other through two partitions, or be told twice.
 *
 *                   last_seq
 *   1 ─────────────────┤                        received, unless in a gap
 *        ▓▓▓▓   ░░                              gaps: ▓ with a reason, ░ without
 *                      ├── n received ─▶        last_seq + 1 … n − 1 become a gap without a reason
 *        ▲ n received inside a gap              n leaves it
 *        ▲ `lost` note                          its part of a gap gets the reason; above last_seq it opens one
 *                      ├── `run_ended` n ─▶     last_seq + 1 … n become a gap without a reason
 *
 * Two rules look at the log as well, and so depend on its order. A run whose first contact is at n > 1, and that is
 * older than the first message this group ever read from that partition, began before the group did: what lies below n
 * is `before_first_contact`. And a hole in a partition's log explains the gap that begins right after the last number
 * the run was heard of in that partition, with notes of some of it or without, whichever partition opened that gap (the
 * key of a host moves when partitions are added while a backlog lies in the old one). Where the run was never heard of in
 * that partition before, it is the gap that its first message there ends; or, should all its messages have gone, the gap
 * that a later run's note of its end tells of.
 */
import type { ReceivedNote } from '../sample/decode-notes.ts';
import { uuidTime } from '../sample/identity.ts';
import { type Account, type Contact, isBefore, type LogPosition, type RunEnd } from './account.ts';
import { Gaps } from './gaps.ts';
import { BEFORE_FIRST_CONTACT, DEAD_LETTER, type HoleReason } from './reasons.ts';

/** Where and when a message lay in the log. */
export interface Origin extends LogPosition {
  readonly partition: number;
  /** Time of the message, ms since the epoch. */
  readonly at: number;
  /** Time of the first message that this group ever read from the partition, ms since the epoch. */
  readonly began_at: number;
}

/** A sample that arrived, whether or not its row was inserted; or one that could not be read but told its number. */
export interface SampleEvent {
  readonly kind: 'received' | 'dead_letter';
  readonly run_id: string;
  readonly seq: number;
  readonly hostname: string;
  readonly origin: Origin;
}

export interface NoteEvent {
  readonly kind: 'note';
  readonly note: ReceivedNote;
  /** Of the sample that carried it. */
  readonly hostname: string;
  readonly origin: Origin;
}

export type AccountEvent = SampleEvent | NoteEvent;

/** Messages that the log no longer had when they were due, or that a person had the reader pass over. */
export interface LogHole {
  readonly partition: number;
  readonly epoch: number;
  readonly first_offset: number;
  /** The first offset after it; null where the log ended with its topic, so that nobody knows. */
  readonly next_offset: number | null;
  readonly reason: HoleReason;
  /** When it was found, ms since the epoch: a run that began later, and was not heard of before it, lost nothing in it. */
  readonly found_at: number;
}

/** The run that an event tells about. */
export function runOf(event: AccountEvent): string {
  return event.kind === 'note' ? event.note.run_id : event.run_id;
}

/**
 * The account after the events, which must all be of its run, in the order of their partitions; the very same object
 * when they told nothing new. `undefined` for a run never heard of needs at least one event. `holes` are all that are
 * known of the topic, those of earlier loads included.
 */
export function advance(
  account: Account | undefined,
  events: readonly AccountEvent[],
  holes: readonly LogHole[] = [],
): Account {
  const first = events[0];
  if (account === undefined && first === undefined) throw new RangeError('a new account needs an event');
  const advancing = new Advancing(account ?? emptyAccount(first as AccountEvent), holes);
  for (const event of events) advancing.apply(event);
  return advancing.finish();
}

function emptyAccount(event: AccountEvent): Account {
  const { hostname, origin } = event;
  return {
    run_id: runOf(event),
    hostname,
    first_seen: origin.at,
    last_seen: origin.at,
    last_seq: 0,
    last_seq_by_partition: new Map(),
    ended: null,
    uncertain: false,
    gaps: [],
    version: 0,
  };
}

class Advancing {
  readonly #before: Account;
  readonly #gaps: Gaps;
  readonly #holes: readonly LogHole[];
  /** By the agent's clock, which may be wrong. */
  readonly #startedAt: number;
  #contacts: ReadonlyMap<number, Contact>;
  #hostname: string;
  #firstSeen: number;
  #lastSeen: number;
  #lastSeq: number;
  #ended: RunEnd | null;
  #uncertain: boolean;

  constructor(account: Account, holes: readonly LogHole[]) {
    this.#before = account;
    this.#gaps = new Gaps(account.gaps);
    this.#holes = holes;
    this.#startedAt = uuidTime(account.run_id) ?? Number.NEGATIVE_INFINITY;
    this.#contacts = account.last_seq_by_partition;
    this.#hostname = account.hostname;
    this.#firstSeen = account.first_seen;
    this.#lastSeen = account.last_seen;
    this.#lastSeq = account.last_seq;
    this.#ended = account.ended;
    this.#uncertain = account.uncertain;
  }

  apply(event: AccountEvent): void {
    const { origin } = event;
    this.#firstSeen = Math.min(this.#firstSeen, origin.at);
    this.#lastSeen = Math.max(this.#lastSeen, origin.at);
    if (event.kind === 'note') this.#note(event.note, origin);
    else this.#sample(event);
  }

  finish(): Account {
    const before = this.#before;
    if (this.#holes.length > 0) {
      for (const [partition, last] of this.#contacts) this.#excuseAfter(partition, last);
    }
    const unchanged =
      this.#gaps.list() === before.gaps &&
      this.#contacts === before.last_seq_by_partition &&
      this.#lastSeq === before.last_seq &&
      this.#hostname === before.hostname &&
      this.#ended === before.ended &&
      this.#uncertain === before.uncertain;
    // The times alone are no reason to write: a replay must leave the database as it is.
    if (unchanged) return before;
    return {
      ...before,
      hostname: this.#hostname,
      first_seen: this.#firstSeen,
      last_seen: this.#lastSeen,
      last_seq: this.#lastSeq,
      last_seq_by_partition: this.#contacts,
      ended: this.#ended,
      uncertain: this.#uncertain,
      gaps: this.#gaps.list(),
    };
  }

  #sample({ kind, seq, hostname, origin }: SampleEvent): void {
    if (kind === 'received') this.#hostname = hostname;
    if (seq > this.#lastSeq) {
      this.#openUpTo(seq - 1, origin);
      if (kind === 'dead_letter') this.#gaps.open(seq, seq, DEAD_LETTER);
      this.#lastSeq = seq;
    } else if (kind === 'received') {
      this.#gaps.receive(seq);
    } else {
      this.#gaps.explain(seq, seq, DEAD_LETTER);
    }
    this.#contact(seq, origin);
  }

  #note(note: ReceivedNote, origin: Origin): void {
    if (!note.exact) this.#uncertain = true;
    const unheard = !this.#contacts.has(origin.partition);
    if (note.kind === 'run_ended') {
      this.#end(note.clean);
      this.#openUpTo(note.last_seq, origin);
      if (unheard) this.#excuseFirst(note.last_seq + 1, origin);
    } else {
      this.#openUpTo(note.first_seq - 1, origin);
      if (unheard) this.#excuseFirst(note.first_seq, origin);
      this.#gaps.explain(note.first_seq, note.last_seq, note.reason);
      this.#gaps.open(Math.max(note.first_seq, this.#lastSeq + 1), note.last_seq, note.reason);
    }
    this.#lastSeq = Math.max(this.#lastSeq, note.last_seq);
  }

  /** A run ends once; should two notes differ, the worse one stands, in whatever order they come. */
  #end(clean: boolean): void {
    if (this.#ended === null || (this.#ended.clean && !clean)) this.#ended = { clean };
  }

  /** What lies above last_seq, up to `seq`, has been passed over. */
  #openUpTo(seq: number, origin: Origin): void {
    if (seq <= this.#lastSeq) return;
    const isFirstContact = this.#lastSeq === 0;
    const startedAt = uuidTime(this.#before.run_id);
    const beganEarlier = isFirstContact && startedAt !== null && startedAt < origin.began_at;
    this.#gaps.open(this.#lastSeq + 1, seq, beganEarlier ? BEFORE_FIRST_CONTACT : null);
    this.#lastSeq = seq;
  }

  /** Remembers the greatest number of the partition, after the holes passed on the way to it. */
  #contact(seq: number, origin: Origin): void {
    const { partition, epoch, offset } = origin;
    const last = this.#contacts.get(partition);
    if (last !== undefined) this.#excuseAfter(partition, last, origin);
    else this.#excuseFirst(seq, origin);
    // A repeat says nothing about what followed: that may have lain between the first occurrence and a hole behind it.
    if (last !== undefined && seq <= last.seq) return;
    if (this.#contacts === this.#before.last_seq_by_partition) this.#contacts = new Map(this.#contacts);
    (this.#contacts as Map<number, Contact>).set(partition, { seq, epoch, offset });
  }

  /** Offsets alone decide: what was heard of before the hole was there before it, whatever the clocks say. */
  #excuseAfter(partition: number, last: Contact, upTo?: LogPosition): void {
    for (const hole of this.#holes) {
      if (hole.partition !== partition || !reachesBehind(hole, last)) continue;
      if (upTo === undefined || isBefore(beginOf(hole), upTo)) this.#gaps.explainBeginningAt(last.seq + 1, hole.reason);
    }
  }

  #excuseFirst(seq: number, origin: Origin): void {
    for (const hole of this.#holes) {
      if (hole.partition !== origin.partition || !isBefore(beginOf(hole), origin)) continue;
      if (hole.found_at < this.#startedAt) continue;
      this.#gaps.explainEndingAt(seq - 1, hole.reason);
    }
  }
}

/** One that begins before it may: a person went back over what was read, and more than that was never read again. */
function reachesBehind(hole: LogHole, last: LogPosition): boolean {
  if (hole.epoch !== last.epoch) return last.epoch < hole.epoch;
  return hole.next_offset === null || hole.next_offset > last.offset + 1;
}

function beginOf(hole: LogHole): LogPosition {
  return { epoch: hole.epoch, offset: hole.first_offset };
}
