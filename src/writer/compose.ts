/**
 * From a batch to what a load is made of: rows, each event once; the events of the accounts, of every message; the
 * dead letters. It looks at nothing but the batch, so it can be done again for every attempt.
 *
 * A sample that is older than the database keeps rows is accounted as received and makes no row. A message that cannot
 * become a row is a dead letter: it is accounted as such where it tells which sample it was, and its notes count all
 * the same.
 */
import type { AccountEvent, LogHole, Origin } from '../accounts/advance.ts';
import { timeOf } from '../kafka/evidence.ts';
import type { FetchedMessage } from '../kafka/log-session.ts';
import { type DecodedSample, decodeParts } from '../sample/decode.ts';
import type { OffsetMove } from '../sink/sink.ts';
import type { Refusal, Slice } from './chunk.ts';
import type { Batch } from './intervals.ts';

export interface DeadLetter {
  readonly partition: number;
  readonly epoch: number;
  readonly message: FetchedMessage;
  readonly refusal: Refusal;
}

export interface Composed {
  readonly rows: readonly DecodedSample[];
  /** All that could be decoded: repeated ones and those too old for a row as well. */
  readonly samples: readonly DecodedSample[];
  /** Kafka's time of each of them, ms since the epoch. */
  readonly sentAt: readonly number[];
  readonly events: readonly AccountEvent[];
  readonly moves: readonly OffsetMove[];
  /** Found in this batch. */
  readonly holes: readonly LogHole[];
  readonly deadLetters: readonly DeadLetter[];
}

/** `oldest`: samples of an earlier time make no row, ms since the epoch. */
export function compose(batch: Batch, oldest: number): Composed {
  const seen = new Set<string>();
  const rows: DecodedSample[] = [];
  const samples: DecodedSample[] = [];
  const sentAt: number[] = [];
  const events: AccountEvent[] = [];
  const deadLetters: DeadLetter[] = [];
  for (const { partition, slices, move } of batch.parts) {
    for (const slice of slices) {
      const { chunk, from, to } = slice;
      for (let index = from; index < to; index++) {
        const message = chunk.messages[index] as FetchedMessage;
        const origin = originOf(partition, slice, message, move);
        const sample = chunk.samples[index];
        if (sample === undefined) {
          const refusal = chunk.refusals.get(index) as Refusal;
          deadLetters.push({ partition, epoch: chunk.epoch, message, refusal });
          accountForRefused(message, origin, events);
          continue;
        }
        samples.push(sample);
        sentAt.push(origin.at);
        accountFor(sample, origin, events);
        if (seen.has(sample.event_id)) continue;
        seen.add(sample.event_id);
        if (sample.timestamp >= oldest) rows.push(sample);
      }
    }
  }
  const moves = batch.parts.map(({ move }) => move);
  const holes = batch.parts.flatMap((part) => part.holes.map(({ hole }) => hole));
  return { rows, samples, sentAt, events, moves, holes, deadLetters };
}

function originOf(partition: number, { chunk }: Slice, message: FetchedMessage, { began_at }: OffsetMove): Origin {
  const at = timeOf(message);
  return { partition, epoch: chunk.epoch, offset: message.offset, at, began_at: began_at ?? at };
}

function accountFor({ run_id, seq, hostname, notes }: DecodedSample, origin: Origin, events: AccountEvent[]): void {
  for (const note of notes) events.push({ kind: 'note', note, hostname, origin });
  if (run_id !== null && seq !== null) events.push({ kind: 'received', run_id, seq, hostname, origin });
}

function accountForRefused(message: FetchedMessage, origin: Origin, events: AccountEvent[]): void {
  const { run_id, seq, notes, hostname: told } = decodeParts(message.value);
  const hostname = told ?? hostnameOf(message.key);
  for (const note of notes) events.push({ kind: 'note', note, hostname, origin });
  if (run_id !== null && seq !== null) events.push({ kind: 'dead_letter', run_id, seq, hostname, origin });
}

/** The key of an agent's message is its hostname. */
function hostnameOf(key: Buffer | null): string {
  const name = key?.toString('utf8') ?? '';
  const isName = name.length > 0 && name.length <= 255 && name.trim() === name && !/[\0\ufffd]/.test(name);
  return isName ? name : 'unknown';
}
