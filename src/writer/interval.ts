/**
 * One partition as one session reads it: the contiguous interval `[expected, next)`.
 *
 *     database's offset                                   fetch here
 *          │                                                  │
 *          ▼                                                  ▼
 *   ───────┬───────────────┬──────────────────────────────────┬────────▶ offsets
 *          │ in a load     │ waiting: chunks, holes           │
 *          └───────────────┴──────────────────────────────────┘
 *      expected                                              next
 *
 * Only what begins at `next` extends it, so nothing can be skipped, whatever the client, a rebalance or the log does:
 * an answer to another position is dropped, and `position` then says `next` again. Where the log itself lacks
 * something, that becomes a hole, which waits in its place like a chunk: it reaches the database in the same
 * transaction as the offset that passes over it. The database's offset stands behind a message, never behind offsets
 * that hold none (control records, compaction): so there is evidence to compare with whenever reading begins there.
 *
 * And nothing is taken but together with the message before it, fetched once more and compared (log-check.ts): a topic
 * can be made anew, and filled past `next`, in less time than lies between two answers.
 *
 *   all read ─▶ wait at `next` ─▶ something came: not taken ─▶ fetch from the last message on ─▶ same: take the rest
 *                   ▲                                               ▲                                    │
 *                   └──────────────── all read ─────────────────────┴────────────── there is more ───────┘
 *
 * Where that message comes in a batch so large that nothing else fits into the answer, the fetch that follows at once
 * is taken without it; should what follows have no room in that answer, a later one that comes soon.
 */
import type { LogPosition } from '../accounts/account.ts';
import type { LogHole } from '../accounts/advance.ts';
import { type LastTaken, lastTaken, timeOf } from '../kafka/evidence.ts';
import type { FetchedBatch, FetchedMessage, LogBounds } from '../kafka/log-session.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { OffsetMove, StoredOffset } from '../sink/sink.ts';
import { decodeChunk } from './chunk.ts';
import { LogCheck } from './log-check.ts';
import { type Piece, Waiting } from './waiting.ts';

/** What one load takes of a partition. */
export interface Part extends Piece {
  readonly partition: number;
  readonly move: OffsetMove;
}

/** An idle log that was made anew and ends exactly at `next` shows by nothing: look once in a while, ms. */
const IDLE_CHECK_MS = 30_000;
/** So long a proof is good for what had no room beside it, ms. */
const PROOF_MS = 5_000;

export class Interval {
  readonly partition: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #waiting = new Waiting();
  /** What the database has of the partition, as far as is known; null: nothing yet. */
  #loaded: Pick<StoredOffset, 'epoch' | 'next' | 'evidence'> | null = null;
  #epoch = 0;
  #next = 0;
  #check = new LogCheck(undefined);
  #beganAt: number | null = null;
  /** Neither stored nor read: what the log no longer has is nobody's loss. */
  #isNew = true;
  #provenAt: number;
  /** The last answer proved the log, and had no room for what lies behind. */
  #isProven = false;
  #end: number | undefined;
  /** Where the part that is in a load begins. */
  #inLoad: LogPosition | undefined;

  /** `stored`: what the database has; undefined: nothing yet, so reading begins at the log's beginning. */
  constructor(partition: number, stored: StoredOffset | undefined, clock: Clock, log: Log) {
    this.partition = partition;
    this.#clock = clock;
    this.#log = log;
    this.#provenAt = clock.monotonic();
    this.#begin(stored);
  }

  /** Messages that wait for a load. */
  get messages(): number {
    return this.#waiting.messages;
  }

  get bytes(): number {
    return this.#waiting.bytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.isEmpty;
  }

  /** When the oldest that waits came, by the monotonic clock; undefined where nothing does. */
  get oldestAt(): number | undefined {
    return this.#waiting.oldestAt;
  }

  /** Messages of the log that are not loaded, as far as is known. */
  get lag(): number {
    if (this.#end === undefined) return 0;
    const first = this.#inLoad ?? this.#waiting.begin;
    if (first === undefined) return Math.max(0, this.#end - this.#next);
    return Math.max(0, this.#end - (first.epoch === this.#epoch ? first.offset : 0));
  }

  /** Where to fetch next. */
  get position(): number {
    return this.#check.position(this.#next);
  }

  /** Its log was just proven, and what lies behind is to come with the next answer. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** Something happened after which the log may be another one. */
  doubt(): void {
    this.#isProven = false;
    this.#check.demand();
  }

  /** Before a request: where the answer is sure to bring something, the proof is fetched with it. */
  beforeFetch(): void {
    if (this.#end !== undefined && this.#end > this.#next && !this.#isProven) this.#check.demand();
  }

  /** Answers how many messages it took. */
  took(batch: FetchedBatch): number {
    if (batch.position !== this.position) return 0;
    this.#end = batch.end;
    const now = this.#clock.monotonic();
    const wasProven = this.#isProven;
    const hadNoRoom = batch.next === batch.position && batch.end > batch.position;
    this.#isProven = wasProven && hadNoRoom && now - this.#provenAt <= PROOF_MS;
    if (!this.#check.due && !wasProven) {
      if (batch.next > this.#next || now - this.#provenAt > IDLE_CHECK_MS) this.#check.demand();
      if (this.#check.due) return 0;
    }
    if (this.#check.due) {
      const verdict = this.#check.judge(batch);
      if (verdict === 'other') this.#madeAnew();
      if (verdict !== 'same') return 0;
      this.#provenAt = now;
      this.#isProven = batch.next <= this.#next && batch.end > this.#next;
    }
    return this.#accept(batch, now);
  }

  outOfRange(position: number, { start, end }: LogBounds): void {
    if (position !== this.position) return;
    this.#end = end;
    const verdict = this.#check.outOfRange(position < start ? 'below' : position > end ? 'above' : 'within');
    if (verdict === 'other') this.#madeAnew();
    if (verdict === 'same' && this.#next < start) this.#expired(start);
  }

  /** What the next load takes of it: all that waits, but at most so much; undefined where that is nothing. */
  cut(maxMessages: number, maxBytes: number): Part | undefined {
    const { begin } = this.#waiting;
    const piece = this.#waiting.cut(maxMessages, maxBytes);
    if (piece !== undefined) this.#inLoad = begin;
    return piece === undefined ? undefined : { partition: this.partition, ...piece, move: this.#moveTo(piece) };
  }

  /** For a load that moves nothing; undefined where the database has no offset yet. */
  standStill(): OffsetMove | undefined {
    return this.#loaded === null ? undefined : this.#moveTo(this.#loaded);
  }

  /** The part was not loaded: it waits again. */
  putBack(part: Part): void {
    this.#inLoad = undefined;
    this.#waiting.putBack(part);
  }

  committed({ epoch, next, evidence }: Part): void {
    this.#inLoad = undefined;
    this.#loaded = { epoch, next, evidence };
  }

  /**
   * What the database has instead of what was expected; no part may be out. What waits above it stays; where it is none
   * of the places that were passed, all is dropped and reading goes on at what is stored. Answers which.
   */
  reconcile(stored: StoredOffset | undefined): 'as expected' | 'dropped below' | 'dropped all' {
    if (stored?.epoch === this.#loaded?.epoch && stored?.next === this.#loaded?.next) return 'as expected';
    if (stored !== undefined && this.#passed(stored)) {
      this.#waiting.dropBelow({ epoch: stored.epoch, offset: stored.next });
      this.#loaded = stored;
      this.#beganAt = stored.began_at ?? this.#beganAt;
      return 'dropped below';
    }
    this.#waiting.clear();
    this.#begin(stored);
    return 'dropped all';
  }

  #begin(stored: StoredOffset | undefined): void {
    this.#loaded = stored ?? null;
    this.#isNew = stored === undefined;
    this.#epoch = stored?.epoch ?? 0;
    this.#next = stored?.next ?? 0;
    this.#check = new LogCheck(knownOf(stored));
    this.#beganAt = stored?.began_at ?? null;
  }

  #moveTo({ epoch, next, evidence }: Pick<Piece, 'epoch' | 'next' | 'evidence'>): OffsetMove {
    const { partition } = this;
    const expected = this.#loaded === null ? null : { epoch: this.#loaded.epoch, offset: this.#loaded.next };
    return { partition, expected, epoch, next, evidence, began_at: this.#beganAt };
  }

  #accept(batch: FetchedBatch, now: number): number {
    if (batch.next <= this.#next) return 0;
    const messages = from(batch.messages, this.#next);
    const [first] = messages;
    const last = messages.at(-1);
    this.#next = batch.next;
    this.#isNew = false;
    this.#provenAt = now;
    // Offsets without a message are passed over here only: the database stays where there is evidence.
    if (first === undefined || last === undefined) return 0;
    const known = lastTaken(last);
    // A producer whose clock is ahead must not make every run of the years to come older than this reader.
    this.#beganAt ??= Math.min(timeOf(first), this.#clock.now());
    this.#waiting.push(decodeChunk(this.#epoch, messages, known, now));
    this.#check.took(known);
    return messages.length;
  }

  #madeAnew(): void {
    const { partition } = this;
    const [epoch, first_offset] = [this.#epoch, this.#next];
    this.#log.error(
      { event: 'topic_recreated', partition, epoch: epoch + 1, read_up_to: first_offset },
      `partition ${partition}: this is not the log that was read before; it is read from its beginning`,
    );
    this.#found({ epoch, first_offset, next_offset: null, reason: 'topic_recreated' }, epoch + 1, 0);
  }

  #expired(start: number): void {
    const { partition } = this;
    const [epoch, first_offset] = [this.#epoch, this.#next];
    if (this.#isNew) {
      this.#next = start;
      return;
    }
    this.#log.error(
      { event: 'expired_in_kafka', partition, epoch, first_offset, next_offset: start },
      `partition ${partition}: ${start - first_offset} offsets that were not read yet are no longer in the log`,
    );
    this.#found({ epoch, first_offset, next_offset: start, reason: 'expired_in_kafka' }, epoch, start);
  }

  #found(what: Pick<LogHole, 'epoch' | 'first_offset' | 'next_offset' | 'reason'>, epoch: number, next: number): void {
    const hole = { partition: this.partition, ...what, found_at: this.#clock.now() };
    const takenAt = this.#clock.monotonic();
    this.#waiting.push({ kind: 'hole', hole, epoch, next, takenAt });
    this.#epoch = epoch;
    this.#next = next;
    this.#isNew = false;
    this.#check.took(undefined);
    this.#provenAt = takenAt;
  }

  /**
   * Whether the place was passed on the way from `expected` to `next`. Not where another message waits before it: the
   * topic was made anew meanwhile, and what waits is of the log that is gone.
   */
  #passed(stored: StoredOffset): boolean {
    const { epoch, next } = stored;
    if (epoch > this.#epoch || (epoch === this.#epoch && next > this.#next)) return false;
    const known = knownOf(stored);
    if (known !== undefined && this.#waiting.contradicts(epoch, known)) return false;
    const since = this.#loaded ?? this.#waiting.begin;
    if (since === undefined) return false;
    const offset = 'next' in since ? since.next : since.offset;
    return epoch > since.epoch || (epoch === since.epoch && next >= offset);
  }
}

function knownOf(stored: StoredOffset | undefined): LastTaken | undefined {
  if (stored === undefined || stored.evidence === null || stored.next === 0) return undefined;
  return { offset: stored.next - 1, ...stored.evidence };
}

/** The messages at and above the offset; the very list where that is all of them. */
function from(messages: readonly FetchedMessage[], offset: number): readonly FetchedMessage[] {
  if (messages[0] === undefined || messages[0].offset >= offset) return messages;
  const first = messages.findIndex((message) => message.offset >= offset);
  return first < 0 ? [] : messages.slice(first);
}
