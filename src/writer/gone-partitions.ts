/**
 * Partitions that the topic no longer has, though the database has an offset of them: the topic was deleted and made
 * anew with fewer. Nobody is assigned them, so no interval finds it out, and what they held unread would be missing for
 * ever. For each of them goes, in one load,
 *
 *   a hole       { epoch, first_offset: what was to be read next, next_offset: null, topic_recreated }
 *   and a move   epoch + 1, offset 0, no evidence: one that comes back later is read from its beginning
 *
 * The member that reads the topic's lowest partition looks, so that it is one of the group; should two do it the fence
 * lets one pass. A broker whose metadata are behind may leave out partitions that there are. So nothing is believed
 * that two answers do not say alike, further apart than it takes the group to be assigned anew when partitions go: by
 * then nobody holds messages of them that wait for a load. Should both be wrong the partition is read from its
 * beginning once more: its rows are known by their event_id, and what was received is not lost, whatever a hole says.
 *
 * An offset of 0 tells that it is on record, or that nothing was read.
 */
import type { LogHole } from '../accounts/advance.ts';
import type { GroupSession } from '../kafka/log-session.ts';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { LogReader, OffsetMove, Sink, StoredOffset } from '../sink/sink.ts';
import type { Loader } from './loader.ts';

export interface GonePartitionsOptions {
  readonly session: Pick<GroupSession, 'partitions' | 'topicPartitions'>;
  readonly reader: LogReader;
  readonly sink: Pick<Sink, 'readOffsets'>;
  readonly clock: Clock;
  readonly log: Log;
  /** There is something to record. */
  readonly found: () => void;
}

/** Longer than it takes the group's leader to notice other partitions. */
const LOOK_EVERY_MS = 45_000;

export class GonePartitions {
  readonly #options: GonePartitionsOptions;
  /** What the last answer left out. */
  #suspected: readonly StoredOffset[] = [];
  #confirmed: readonly StoredOffset[] = [];

  constructor(options: GonePartitionsOptions) {
    this.#options = options;
  }

  /** There are some to be recorded. */
  get due(): boolean {
    return this.#confirmed.length > 0;
  }

  /** Looks again and again; never rejects. */
  async watch(ended: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!ended.aborted) {
      try {
        await this.#look();
      } catch (error) {
        log.debug({ event: 'partitions_not_compared', err: asError(error) });
      }
      await clock.sleep(LOOK_EVERY_MS, ended);
    }
  }

  /** One attempt; never rejects. What fails is tried again for as long as it is due. */
  async record(loader: Pick<Loader, 'settle'>, signal: AbortSignal): Promise<void> {
    const gone = this.#confirmed;
    const found_at = this.#options.clock.now();
    const end = await loader.settle(
      gone.map(moveOf),
      gone.map((stored) => holeOf(stored, found_at)),
      signal,
    );
    if (end !== 'committed' && end !== 'fenced') return;
    // Fenced: one of them was moved by somebody else. The next looks tell which are left.
    this.#confirmed = [];
    this.#suspected = [];
    if (end === 'fenced') return;
    for (const { partition, epoch, next } of gone) {
      this.#options.log.error(
        { event: 'topic_recreated', partition, epoch: epoch + 1, read_up_to: next },
        `partition ${partition} is no longer in the topic; what was not read of it is lost`,
      );
    }
  }

  async #look(): Promise<void> {
    const { session, reader, sink, found } = this.#options;
    const [first] = session.partitions;
    if (first === undefined) return;
    const topic = new Set(await session.topicPartitions());
    if (first !== Math.min(...topic)) return;
    const stored = await sink.readOffsets(reader);
    const isLeftOut = ({ partition, next }: StoredOffset) =>
      next > 0 && !topic.has(partition) && !session.partitions.includes(partition);
    const leftOut = [...stored.values()].filter(isLeftOut);
    this.#confirmed = leftOut.filter((now) => this.#suspected.some((before) => isSame(before, now)));
    this.#suspected = leftOut;
    if (this.due) found();
  }
}

function isSame(one: StoredOffset, other: StoredOffset): boolean {
  return one.partition === other.partition && one.epoch === other.epoch && one.next === other.next;
}

function moveOf({ partition, epoch, next, began_at }: StoredOffset): OffsetMove {
  return { partition, expected: { epoch, offset: next }, epoch: epoch + 1, next: 0, evidence: null, began_at };
}

function holeOf({ partition, epoch, next }: StoredOffset, found_at: number): LogHole {
  return { partition, epoch, first_offset: next, next_offset: null, reason: 'topic_recreated', found_at };
}
