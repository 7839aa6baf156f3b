/**
 * The notes of a message, each validated alone: one that is malformed costs itself, never its neighbours, and notes
 * are read even where the sample that carries them is not valid.
 *
 * Kinds and reasons are read with an eye on agents newer than this reader: an unknown kind is passed over, an unknown
 * reason is kept as it is. Reasons that only a reader may give are not taken from an agent.
 */
import { canonicalUuid } from './identity.ts';
import type { Note } from './note.ts';

/** A `lost` note as it arrived; its reason may be one that this version does not know. */
export interface ReceivedLostNote {
  readonly kind: 'lost';
  readonly run_id: string;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly reason: string;
  readonly exact: boolean;
}

export interface ReceivedRunEndedNote {
  readonly kind: 'run_ended';
  readonly run_id: string;
  readonly last_seq: number;
  readonly clean: boolean;
  readonly exact: boolean;
}

export type ReceivedNote = ReceivedLostNote | ReceivedRunEndedNote;

/** Reasons that the reader of a log gives by itself, and therefore believes no agent. */
export const READER_REASONS = [
  'dead_letter',
  'expired_in_kafka',
  'topic_recreated',
  'skipped_by_operator',
  'before_first_contact',
] as const;

const REASON = /^[a-z][a-z0-9_]{0,39}$/;
const RESERVED: ReadonlySet<string> = new Set(READER_REASONS);
const NONE: readonly ReceivedNote[] = [];

/** The valid notes among what a parsed message has under `notes`. */
export function readNotes(given: unknown): readonly ReceivedNote[] {
  if (!Array.isArray(given) || given.length === 0) return NONE;
  const notes: ReceivedNote[] = [];
  for (const entry of given) {
    const note = readNote(entry);
    if (note !== undefined) notes.push(note);
  }
  return notes;
}

/**
 * The greatest sequence number that is believed: two centuries at ten samples a second. One message that claims more
 * would make its run miss as many samples, and a thousand such runs would not fit into the sums of a BIGINT: then
 * nothing could be loaded any more, of anybody.
 */
export const MAX_SEQ = 2 ** 36;

/** A sequence number: 1, 2, 3 … up to MAX_SEQ. */
export function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_SEQ;
}

function readNote(given: unknown): ReceivedNote | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { kind, first_seq, last_seq, reason, clean, exact, ...named } = given as Record<string, unknown>;
  const run_id = canonicalUuid(named.run_id);
  if (run_id === undefined || !isSeq(last_seq)) return undefined;
  if (exact !== undefined && typeof exact !== 'boolean') return undefined;
  const common = { run_id, last_seq, exact: exact ?? true };
  switch (kind) {
    case 'lost':
      if (!isSeq(first_seq) || first_seq > last_seq) return undefined;
      if (typeof reason !== 'string' || !REASON.test(reason) || RESERVED.has(reason)) return undefined;
      return { kind, first_seq, reason, ...common };
    case 'run_ended':
      return typeof clean === 'boolean' ? { kind, clean, ...common } : undefined;
    default:
      return undefined;
  }
}

/** The note as it would have arrived, without the way over the wire. */
export function receivedNote(note: Note): ReceivedNote {
  return { ...note, exact: note.exact ?? true };
}
