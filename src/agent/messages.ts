/** What goes to Kafka of a batch from the spool. */
import { withNotes } from '../sample/encode.ts';
import type { PendingNote, SpooledSample } from '../spool/spool.ts';

export interface Message {
  readonly key: string;
  readonly value: string | Buffer;
}

/** The messages of a batch; the notes ride on its first sample. */
export function compose(batch: readonly SpooledSample[], notes: readonly PendingNote[]): Message[] {
  return batch.map((sample, index) => ({
    key: sample.hostname,
    value:
      index === 0 && notes.length > 0
        ? withNotes(
            sample.payload,
            notes.map((pending) => pending.note),
          )
        : (sample.bytes ?? sample.payload),
  }));
}
