/**
 * Which dead letters there are: the first of two readings of a dead-letter topic.
 *
 * A dead letter is in its topic at least once, and the mark that it was sent back lies anywhere behind it, so nothing
 * can be said about the first before the last is read. This reading keeps a number per origin and no messages, some
 * hundred bytes each; the second one, which has to be told nothing more, works on one message at a time.
 */
import type { FollowedMessage } from '../kafka/follower.ts';
import {
  type DeadLetterNotice,
  type DeadLetterOrigin,
  type ReplayMark,
  readDeadLetterHeaders,
} from '../sample/dead-letter.ts';

/** Reads the dead-letter topic from its beginning to where it ended when the reading began. */
export type ReadDeadLetters = () => AsyncIterable<FollowedMessage>;

/** A record of the dead-letter topic that is a dead letter. */
export interface DeadLetterRecord {
  readonly notice: DeadLetterNotice;
  readonly message: FollowedMessage;
}

const REPLAYED = 1;
const WANTED = 2;
const TAKEN = 4;
/** Above the flags: how often the dead letter was seen. */
const ONE = 8;

export class DeadLetterIndex {
  readonly #topic: string;
  /** Per partition and epoch, by offset. */
  readonly #logs = new Map<string, Map<number, number>>();
  #foreign = 0;

  private constructor(topic: string) {
    this.#topic = topic;
  }

  /** `wanted`: those that `countWanted` is to count. `topic`: where the dead letters came from. */
  static async read(
    topic: string,
    read: ReadDeadLetters,
    wanted: (record: DeadLetterRecord) => boolean = () => false,
  ): Promise<DeadLetterIndex> {
    const index = new DeadLetterIndex(topic);
    for await (const message of read()) index.#add(message, wanted);
    return index;
  }

  /** Records that are neither a dead letter of the topic nor a mark. */
  get foreign(): number {
    return this.#foreign;
  }

  get count(): number {
    return this.#countWhere((entry) => entry >= ONE);
  }

  get replayed(): number {
    return this.#countWhere((entry) => entry >= ONE && (entry & REPLAYED) !== 0);
  }

  /** Those wanted; `again`: also those that were sent back before. */
  countWanted(again: boolean): number {
    return this.#countWhere((entry) => (entry & WANTED) !== 0 && (again || (entry & REPLAYED) === 0));
  }

  /** How often the dead letter was seen; 0: never. */
  times(origin: DeadLetterOrigin): number {
    return Math.floor(this.#entry(origin) / ONE);
  }

  isReplayed(origin: DeadLetterOrigin): boolean {
    return (this.#entry(origin) & REPLAYED) !== 0;
  }

  /** True for the first call with this origin, and only for one that this reading has seen. */
  take(origin: DeadLetterOrigin): boolean {
    const entry = this.#entry(origin);
    if (entry < ONE || (entry & TAKEN) !== 0) return false;
    this.#logOf(origin).set(origin.offset, entry | TAKEN);
    return true;
  }

  #add(message: FollowedMessage, wanted: (record: DeadLetterRecord) => boolean): void {
    const notice = noticeOf(message, this.#topic);
    if (notice === undefined) {
      this.#foreign++;
      return;
    }
    const { origin } = notice;
    const entry = this.#entry(origin);
    if ('replayed_at' in notice) this.#logOf(origin).set(origin.offset, entry | REPLAYED);
    else this.#logOf(origin).set(origin.offset, (entry + ONE) | (wanted({ notice, message }) ? WANTED : 0));
  }

  #logOf({ partition, epoch }: DeadLetterOrigin): Map<number, number> {
    const key = `${partition}@${epoch}`;
    let log = this.#logs.get(key);
    if (log === undefined) {
      log = new Map();
      this.#logs.set(key, log);
    }
    return log;
  }

  #entry({ partition, epoch, offset }: DeadLetterOrigin): number {
    return this.#logs.get(`${partition}@${epoch}`)?.get(offset) ?? 0;
  }

  #countWhere(holds: (entry: number) => boolean): number {
    let count = 0;
    for (const log of this.#logs.values()) for (const entry of log.values()) if (holds(entry)) count++;
    return count;
  }
}

/** What the record says of itself; undefined: it is none of this topic's. */
export function noticeOf(message: FollowedMessage, topic: string): DeadLetterNotice | ReplayMark | undefined {
  const notice = readDeadLetterHeaders(message.headers);
  return notice?.origin.topic === topic ? notice : undefined;
}

/** The second reading: the dead letters, repeated ones included. */
export async function* deadLetters(topic: string, read: ReadDeadLetters): AsyncGenerator<DeadLetterRecord> {
  for await (const message of read()) {
    const notice = noticeOf(message, topic);
    if (notice !== undefined && !('replayed_at' in notice)) yield { notice, message };
  }
}
