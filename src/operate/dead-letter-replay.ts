/**
 * `hostspool dead-letters replay`: sends dead letters back to their topic as they were, key, value and headers.
 *
 *   read all ─▶ which are meant, not yet sent back, and whole ─▶ read again, gather ─▶ send to the topic ─┐
 *                                                                   ▲                    (acknowledged)   ▼
 *                                                                   └──────────────── mark in the dead-letter topic
 *
 * The mark comes last, so a replay that is cut short sends what it had not marked once more: a sample twice in the topic
 * is one row, since its event_id is known. What cannot become a row this time either comes back as a dead letter of its
 * new place.
 *
 * A failure that may pass is waited out, with backoff, for as long as `patience` without any progress. A message that
 * Kafka refuses for itself is left, and counted.
 */
import type { OutgoingMessage } from '../kafka/producer.ts';
import { Backoff, type BackoffSettings } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import {
  deadLetterTopic,
  originalHeaders,
  originText,
  parseOriginText,
  replayMarkHeaders,
} from '../sample/dead-letter.ts';
import { DeadLetterIndex, type DeadLetterRecord, deadLetters, type ReadDeadLetters } from './dead-letter-index.ts';
import { unknownOrigins } from './dead-letter-list.ts';
import { type DeadLetterSelection, isSelected } from './dead-letter-selection.ts';

export interface ReplayOptions {
  /** Where the dead letters came from and go back to. */
  readonly topic: string;
  readonly read: ReadDeadLetters;
  readonly send: (topic: string, messages: readonly OutgoingMessage[], signal: AbortSignal) => Promise<void>;
  readonly selection: DeadLetterSelection;
  /** Also those that were sent back before. */
  readonly again: boolean;
  readonly dryRun: boolean;
  /** Bytes of messages in one request. */
  readonly requestBytes: number;
  readonly backoff: BackoffSettings;
  /** How long to go on without any acknowledgement, ms. */
  readonly patience: number;
  readonly clock: Clock;
  readonly progress: (progress: ReplayProgress) => void;
}

export interface ReplayProgress {
  readonly total: number;
  readonly done: number;
  /** Why the last attempt failed, while it is being repeated. */
  readonly error?: string;
}

export interface ReplayResult {
  /** Sent back; in a dry run, those that would be. */
  replayed: number;
  /** Of these, those that still count as waiting: their mark was not acknowledged. */
  unmarked: number;
  /** Sent back before, and so left. */
  before: number;
  /** Not whole, and so left. */
  truncated: number;
  /** Refused by Kafka, and so left. */
  refused: number;
  /** Not sent: it was stopped, or nothing was acknowledged for too long. */
  left: number;
  lastError: HostspoolError | undefined;
}

const REQUEST_MESSAGES = 500;
/** Lengths and the like, at most. */
const MESSAGE_OVERHEAD = 70;
const HEADER_OVERHEAD = 10;
/** A request that fails with one of these is tried message by message. */
const REFUSALS: ReadonlySet<string> = new Set(['KAFKA_MESSAGE_TOO_LARGE', 'KAFKA_INVALID_RECORD']);

export async function replayDeadLetters(options: ReplayOptions, signal: AbortSignal): Promise<ReplayResult> {
  const { topic, read, selection } = options;
  const index = await DeadLetterIndex.read(topic, read, (record) => isSelected(record, selection));
  const unknown = [...(selection.origins ?? [])].filter((origin) => !isThere(index, topic, origin));
  if (unknown.length > 0) throw unknownOrigins(topic, unknown);
  return new Replay(options, index, signal).run();
}

function isThere(index: DeadLetterIndex, topic: string, text: string): boolean {
  const origin = parseOriginText(text);
  return origin !== undefined && index.times({ topic, ...origin }) > 0;
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #index: DeadLetterIndex;
  readonly #signal: AbortSignal;
  readonly #total: number;
  readonly #backoff: Backoff;
  readonly #result: ReplayResult = {
    replayed: 0,
    unmarked: 0,
    before: 0,
    truncated: 0,
    refused: 0,
    left: 0,
    lastError: undefined,
  };
  #gathered: DeadLetterRecord[] = [];
  #bytes = 0;
  #gaveUp = false;

  constructor(options: ReplayOptions, index: DeadLetterIndex, signal: AbortSignal) {
    this.#options = options;
    this.#index = index;
    this.#signal = signal;
    this.#total = index.countWanted(options.again);
    this.#backoff = new Backoff(options.backoff);
  }

  async run(): Promise<ReplayResult> {
    const { topic, read, selection, requestBytes } = this.#options;
    this.#tell();
    for await (const record of deadLetters(topic, read)) {
      if (this.#isOver()) break;
      if (!isSelected(record, selection) || !this.#index.take(record.notice.origin)) continue;
      if (!this.#isDue(record)) continue;
      const bytes = sizeOf(record);
      const isFull = this.#gathered.length >= REQUEST_MESSAGES || this.#bytes + bytes > requestBytes;
      if (isFull && this.#gathered.length > 0) await this.#sendGathered();
      this.#gathered.push(record);
      this.#bytes += bytes;
    }
    if (this.#gathered.length > 0 && !this.#isOver()) await this.#sendGathered();
    const { replayed, truncated, refused } = this.#result;
    this.#result.left = Math.max(0, this.#total - replayed - truncated - refused);
    return this.#result;
  }

  #isOver(): boolean {
    return this.#gaveUp || this.#signal.aborted;
  }

  #isDue({ notice }: DeadLetterRecord): boolean {
    if (!this.#options.again && this.#index.isReplayed(notice.origin)) this.#result.before++;
    else if (notice.truncated_from !== null) this.#result.truncated++;
    else return true;
    return false;
  }

  async #sendGathered(): Promise<void> {
    const records = this.#gathered;
    this.#gathered = [];
    this.#bytes = 0;
    if (this.#options.dryRun) this.#result.replayed += records.length;
    else await this.#replay(records);
    this.#tell();
  }

  /** Sends and marks; one by one where Kafka refuses them together. */
  async #replay(records: readonly DeadLetterRecord[]): Promise<void> {
    const { topic, clock } = this.#options;
    try {
      if (!(await this.#persist(topic, records.map(messageOf)))) return;
    } catch (thrown) {
      const error = asError(thrown);
      if (!(error instanceof HostspoolError) || !REFUSALS.has(error.code)) throw error;
      if (records.length > 1) {
        for (const record of records) if (!this.#isOver()) await this.#replay([record]);
        return;
      }
      this.#result.refused++;
      this.#result.lastError = error;
      return;
    }
    this.#result.replayed += records.length;
    const marks = records.map(({ notice: { origin } }): OutgoingMessage => {
      return { key: originText(origin), value: null, headers: replayMarkHeaders({ origin, replayed_at: clock.now() }) };
    });
    if (!(await this.#persist(deadLetterTopic(topic), marks))) this.#result.unmarked += records.length;
  }

  /** Sends until it is acknowledged; false: it was stopped, or patience is at its end. Rejects with what won't pass. */
  async #persist(topic: string, messages: readonly OutgoingMessage[]): Promise<boolean> {
    const { send, clock, patience } = this.#options;
    const since = clock.monotonic();
    while (!this.#signal.aborted) {
      try {
        await send(topic, messages, this.#signal);
        this.#backoff.succeeded();
        return true;
      } catch (thrown) {
        if (this.#signal.aborted) return false;
        const error = asError(thrown);
        if (!(error instanceof HostspoolError) || !error.retryable) throw error;
        this.#result.lastError = error;
        if (clock.monotonic() - since >= patience) {
          this.#gaveUp = true;
          return false;
        }
        this.#tell(error.message);
        await clock.sleep(this.#backoff.failed(), this.#signal);
      }
    }
    return false;
  }

  #tell(error?: string): void {
    const { replayed, truncated, refused } = this.#result;
    const now = { total: this.#total, done: replayed + truncated + refused };
    this.#options.progress(error === undefined ? now : { ...now, error });
  }
}

/** About, as it is with its own headers. */
function sizeOf({ message: { key, value, headers } }: DeadLetterRecord): number {
  let bytes = MESSAGE_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, values] of Object.entries(originalHeaders(headers)))
    for (const each of values) bytes += name.length + each.length + HEADER_OVERHEAD;
  return bytes;
}

function messageOf({ message }: DeadLetterRecord): OutgoingMessage {
  return { key: message.key, value: message.value, headers: originalHeaders(message.headers) };
}
