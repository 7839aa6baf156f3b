/**
 * From samples of the spool to what a load is made of: rows, each event once, and the events of the accounts.
 *
 * The spool is a log of one partition whose offsets are its row ids. Ids that are not there any more (what was evicted)
 * are offsets without a message. The notes that wait in the spool come with the first sample, as they would have come
 * in its message.
 */
import { createHash } from 'node:crypto';
import type { AccountEvent, Origin } from '../accounts/advance.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { type DecodedSample, decodeMessage } from '../sample/decode.ts';
import { receivedNote } from '../sample/decode-notes.ts';
import type { Evidence } from '../sink/sink.ts';
import type { PendingNote, SpooledSample } from '../spool/spool.ts';

/** A spool has one partition, and its row ids are never used again. */
export const PARTITION = 0;
export const EPOCH = 0;

export interface SpooledBatch {
  readonly rows: readonly DecodedSample[];
  readonly events: readonly AccountEvent[];
  /** Samples that did not decode. */
  readonly undecodable: number;
  /** The first offset after the batch. */
  readonly next: number;
  readonly evidence: Evidence;
}

/**
 * `samples`: in order, at least one. `beganAt`: time of the first sample ever loaded from this spool, ms since the
 * epoch. A sample that does not decode, which takes a bug or another version's spool, is logged whole and accounted as
 * a dead letter: its identity is known from its row.
 */
export function decodeBatch(
  samples: readonly SpooledSample[],
  notes: readonly PendingNote[],
  beganAt: number,
  log: Log,
): SpooledBatch {
  const rows = new Map<string, DecodedSample>();
  const events: AccountEvent[] = [];
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a batch has at least one sample');
  for (const { note } of notes) {
    const origin = originOf(first, beganAt);
    events.push({ kind: 'note', note: receivedNote(note), hostname: first.hostname, origin });
  }
  let undecodable = 0;
  for (const sample of samples) {
    const { hostname, identity, payload } = sample;
    const { run_id, seq } = identity;
    const event = { run_id, seq, hostname, origin: originOf(sample, beganAt) };
    try {
      const row = decodeMessage(payload);
      rows.set(row.event_id, row);
      events.push({ ...event, kind: 'received' });
    } catch (error) {
      undecodable++;
      events.push({ ...event, kind: 'dead_letter' });
      log.error(
        { event: 'sample_undecodable', err: asError(error), ...identity, payload },
        'a sample of the spool could not be read; it is accounted as a dead letter',
      );
    }
  }
  return {
    rows: [...rows.values()],
    events,
    undecodable,
    next: last.id + 1,
    evidence: { timestamp: last.takenAt, sha256: createHash('sha256').update(last.payload).digest() },
  };
}

function originOf({ id, takenAt }: SpooledSample, began_at: number): Origin {
  return { partition: PARTITION, epoch: EPOCH, offset: id, at: takenAt, began_at };
}
