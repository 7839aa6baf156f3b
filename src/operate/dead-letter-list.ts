/** `hostspool dead-letters list` and `show`: what lies in the dead-letter topic, each message once. */
import type { FollowedMessage } from '../kafka/follower.ts';
import { HostspoolError } from '../lib/errors.ts';
import { deadLetterTopic, originText } from '../sample/dead-letter.ts';
import { DeadLetterIndex, type DeadLetterRecord, deadLetters, type ReadDeadLetters } from './dead-letter-index.ts';
import { type DeadLetterSelection, hostOf, isSelected } from './dead-letter-selection.ts';

export interface DeadLetterLine {
  /** `<partition>:<offset>` in the topic it came from, and `@<epoch>` behind where that was made anew. */
  readonly origin: string;
  readonly host: string | null;
  readonly code: string;
  readonly reason: string;
  /** Kafka's time of the message in its own topic. */
  readonly sent_at: string | null;
  /** When it last became a dead letter. */
  readonly dead_at: string | null;
  /** How often it became one: a load that is repeated tells it again. */
  readonly times: number;
  readonly replayed: boolean;
  /** A part of it was cut off, so it can't be replayed. */
  readonly truncated: boolean;
  /** Bytes of the value, as they are in the dead-letter topic. */
  readonly bytes: number;
}

export interface DeadLetterReport {
  readonly topic: string;
  /** Dead letters in all, and how many of them were sent back. */
  readonly count: number;
  readonly replayed: number;
  /** Records of somebody else. */
  readonly foreign: number;
  /** How many the selection has; `entries` holds the newest of them. */
  readonly selected: number;
  /** The newest first. */
  readonly entries: readonly DeadLetterLine[];
}

export interface ListOptions {
  /** Where the dead letters came from. */
  readonly topic: string;
  readonly read: ReadDeadLetters;
  readonly selection: DeadLetterSelection;
  /** Only those that were not sent back. */
  readonly pendingOnly: boolean;
  readonly limit: number;
}

export async function listDeadLetters(options: ListOptions): Promise<DeadLetterReport> {
  const { topic, read, selection, pendingOnly, limit } = options;
  const index = await DeadLetterIndex.read(topic, read, (record) => isSelected(record, selection));
  const newest = new Newest(limit);
  for await (const record of deadLetters(topic, read)) {
    const { origin } = record.notice;
    if (!isSelected(record, selection) || index.times(origin) === 0) continue;
    if (!pendingOnly || !index.isReplayed(origin)) newest.add(record.message.timestamp, lineOf(record, index));
  }
  return {
    topic: deadLetterTopic(topic),
    count: index.count,
    replayed: index.replayed,
    foreign: index.foreign,
    selected: index.countWanted(!pendingOnly),
    entries: newest.lines(),
  };
}

function lineOf(record: DeadLetterRecord, index: DeadLetterIndex): DeadLetterLine {
  const { notice, message } = record;
  return {
    origin: originText(notice.origin),
    host: hostOf(record),
    code: notice.code,
    reason: notice.reason,
    sent_at: notice.timestamp === null ? null : timeText(notice.timestamp),
    dead_at: timeText(message.timestamp),
    times: index.times(notice.origin),
    replayed: index.isReplayed(notice.origin),
    truncated: notice.truncated_from !== null,
    bytes: message.value?.length ?? 0,
  };
}

function timeText(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

interface Arrived {
  readonly at: number;
  /** Counts up: of those that came in one batch the last is the newest. */
  readonly turn: number;
  readonly line: DeadLetterLine;
}

/** The newest lines, an origin once: never more than twice as many as are wanted. */
class Newest {
  readonly #limit: number;
  #lines = new Map<string, Arrived>();
  #turn = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(at: number, line: DeadLetterLine): void {
    const known = this.#lines.get(line.origin);
    if (known !== undefined && known.at > at) return;
    this.#lines.set(line.origin, { at, turn: this.#turn++, line });
    if (this.#lines.size < 2 * this.#limit) return;
    this.#lines = new Map(this.#sorted().map((each) => [each.line.origin, each]));
  }

  lines(): DeadLetterLine[] {
    return this.#sorted().map(({ line }) => line);
  }

  #sorted(): Arrived[] {
    const newestFirst = [...this.#lines.values()].sort((one, other) => other.at - one.at || other.turn - one.turn);
    return newestFirst.slice(0, this.#limit);
  }
}

export interface DeadLetterDetail {
  readonly line: DeadLetterLine;
  readonly message: FollowedMessage;
  /** How many bytes the value had before a part was cut off; null: it is whole. */
  readonly truncated_from: number | null;
}

/** The dead letter of an origin, as it last arrived; throws DEAD_LETTER_UNKNOWN. */
export async function showDeadLetter(topic: string, read: ReadDeadLetters, origin: string): Promise<DeadLetterDetail> {
  const index = await DeadLetterIndex.read(topic, read);
  let found: DeadLetterDetail | undefined;
  for await (const record of deadLetters(topic, read)) {
    if (originText(record.notice.origin) !== origin) continue;
    const { message, notice } = record;
    found = { line: lineOf(record, index), message, truncated_from: notice.truncated_from };
  }
  if (found === undefined) throw unknownOrigins(topic, [origin]);
  return found;
}

export function unknownOrigins(topic: string, origins: readonly string[]): HostspoolError {
  return new HostspoolError(
    'DEAD_LETTER_UNKNOWN',
    `${deadLetterTopic(topic)} has no dead letter of the origin ${origins.join(', ')}`,
    { hint: 'hostspool dead-letters list has those there are; what is older than the topic keeps is gone' },
  );
}
