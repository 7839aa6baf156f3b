/**
 * From the bytes of a message to a row: everything that a database would refuse is refused here, by name.
 *
 * A bulk load checks nothing on the client's side and one bad value kills its whole batch, so this is the place where
 * types and ranges are enforced. It runs once per message of a whole fleet: the fields are walked by hand over the one
 * list in fields.ts, the suspicious shapes (deep nesting, `__proto__`, lone surrogates) are looked for only where the
 * text gives cause, and nothing is copied that need not be.
 *
 *   bytes ─▶ UTF-8? ─▶ JSON object? ─▶ harmless shape? ─▶ identity ─▶ hostname, timestamp ─▶ fields ─▶ notes
 *
 * Unknown fields are passed over: an old reader reads a new agent. A message without an identity comes from a plain
 * producer: its event_id is made of the SHA-256 of its bytes, so the same bytes are the same event, and it stands
 * outside the sequence accounts.
 */

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { HostspoolError } from '../lib/errors.ts';
import { round2 } from '../lib/rounding.ts';
import { isSeq, type ReceivedNote, readNotes } from './decode-notes.ts';
import { FIELDS, type Field } from './fields.ts';
import { canonicalUuid, uuidFromBytes } from './identity.ts';
import { QuickReader } from './quick-reader.ts';
import { assertHarmless, describe } from './shape.ts';
import { parseTimestamp } from './timestamp.ts';

export type FieldValue = number | bigint | string | null;

export interface DecodedSample {
  readonly event_id: string;
  /** null, and then seq is null too: another producer's message. */
  readonly run_id: string | null;
  readonly seq: number | null;
  readonly hostname: string;
  /** ms since the epoch. */
  readonly timestamp: number;
  /** One per entry of FIELDS, in its order; null where the message has none. Decimals are rounded to two places. */
  readonly values: readonly FieldValue[];
  readonly notes: readonly ReceivedNote[];
}

/** What could be read of a message that is not a valid sample: enough to account for it. */
export interface MessageParts {
  readonly run_id: string | null;
  readonly seq: number | null;
  readonly hostname: string | null;
  readonly notes: readonly ReceivedNote[];
}

const HOSTNAME_LENGTH = 255;

/** The sample in a message's value; throws SAMPLE_INVALID, whose message names the field and the reason. */
export function decodeMessage(value: Uint8Array | string | null): DecodedSample {
  return (value instanceof Buffer ? usual.read(value) : undefined) ?? decodeAny(value);
}

/** What it has learned is the order of names alone, and changes no answer. */
const usual = new QuickReader();

/** The same of any message, usual or not. */
export function decodeAny(value: Uint8Array | string | null): DecodedSample {
  const text = toText(value);
  const message = parse(text);
  assertHarmless(message, text);
  const run_id = readUuid(message, 'run_id');
  const seq = readSeq(message);
  if ((run_id === null) !== (seq === null)) {
    throw invalid(run_id === null ? 'run_id' : 'seq', 'missing, while the other half of the pair is there');
  }
  return {
    event_id: readUuid(message, 'event_id') ?? eventIdOf(value ?? ''),
    run_id,
    seq,
    hostname: readHostname(message),
    timestamp: readTimestamp(message),
    values: readValues(message, text),
    notes: readNotes(message.notes),
  };
}

/** The notes of a message, valid ones only, whatever else is wrong with it. Never throws. */
export function decodeNotes(value: Uint8Array | string | null): readonly ReceivedNote[] {
  return decodeParts(value).notes;
}

/** What an account can use of a message that `decodeMessage` refused. Never throws. */
export function decodeParts(value: Uint8Array | string | null): MessageParts {
  try {
    const message = parse(toText(value));
    const { seq, hostname } = message;
    const run_id = canonicalUuid(message.run_id);
    const identified = run_id !== undefined && isSeq(seq);
    return {
      run_id: identified ? run_id : null,
      seq: identified ? seq : null,
      hostname: typeof hostname === 'string' && isHostname(hostname) ? hostname : null,
      notes: readNotes(message.notes),
    };
  } catch {
    return { run_id: null, seq: null, hostname: null, notes: [] };
  }
}

type Message = Readonly<Record<string, unknown>>;

function toText(value: Uint8Array | string | null): string {
  if (value === null) throw invalid('value', 'missing');
  if (typeof value === 'string') return value;
  if (!isUtf8(value)) throw invalid('value', 'not UTF-8');
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
}

function parse(text: string): Message {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw invalid('value', 'not JSON', cause);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalid('value', `not a JSON object but ${describe(parsed)}`);
  }
  return parsed as Message;
}

/** UUIDv8 of the bytes of a message without an identity: 122 bits of their SHA-256. */
function eventIdOf(value: Uint8Array | string): string {
  const bytes = createHash('sha256').update(value).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return uuidFromBytes(bytes);
}

function readUuid(message: Message, name: string): string | null {
  const value = message[name];
  if (value === undefined || value === null) return null;
  const uuid = canonicalUuid(value);
  if (uuid === undefined) throw invalid(name, `not a UUID but ${describe(value)}`);
  return uuid;
}

function readSeq({ seq }: Message): number | null {
  if (seq === undefined || seq === null) return null;
  if (!isSeq(seq)) throw invalid('seq', `not a whole number from 1 to 2^36 but ${describe(seq)}`);
  return seq;
}

function isHostname(hostname: string): boolean {
  return (
    hostname.length > 0 &&
    hostname.length <= HOSTNAME_LENGTH &&
    // A space at the end makes no difference to a comparison in T-SQL: two hosts would be one there, and two here.
    hostname.trim() === hostname &&
    hostname.isWellFormed() &&
    !hostname.includes('\0')
  );
}

function readHostname({ hostname }: Message): string {
  if (typeof hostname !== 'string' || !isHostname(hostname)) {
    throw invalid(
      'hostname',
      `not a name of 1 to ${HOSTNAME_LENGTH} characters without white space at its ends but ${describe(hostname)}`,
    );
  }
  return hostname;
}

function readTimestamp({ timestamp }: Message): number {
  const ms = typeof timestamp === 'string' ? parseTimestamp(timestamp) : undefined;
  if (ms === undefined) throw invalid('timestamp', `not an ISO 8601 time from 1970 to 9999 but ${describe(timestamp)}`);
  return ms;
}

function readValues(message: Message, text: string): FieldValue[] {
  const values: FieldValue[] = new Array(FIELDS.length);
  for (let index = 0; index < FIELDS.length; index++) {
    const field = FIELDS[index] as Field;
    const value = message[field.name];
    if (value === undefined || value === null) {
      if (field.required) throw invalid(field.name, 'missing');
      values[index] = null;
    } else if (field.kind.type === 'text') {
      values[index] = readText(field, value);
    } else {
      values[index] = readNumber(field, value, text);
    }
  }
  return values;
}

function readText({ name, kind }: Field, value: unknown): string {
  if (typeof value !== 'string') throw invalid(name, `not a text but ${describe(value)}`);
  const fits = value.length <= kind.max && value.isWellFormed() && !value.includes('\0');
  if (!fits) throw invalid(name, `not a text of at most ${kind.max} characters but ${describe(value)}`);
  return value;
}

function readNumber({ name, kind }: Field, value: unknown, text: string): number | bigint {
  if (typeof value !== 'number') throw invalid(name, `not a number but ${describe(value)}`);
  const inRange = value >= kind.min && value <= kind.max;
  if (kind.type === 'decimal') {
    if (inRange) return round2(value);
    throw invalid(name, `not a number from ${kind.min} to ${kind.max} but ${describe(value)}`);
  }
  if (inRange && Number.isSafeInteger(value)) return value;
  const exact = inRange && Number.isInteger(value) ? exactInteger(text, name) : undefined;
  if (exact !== undefined && exact === BigInt.asIntN(64, exact)) return exact;
  throw invalid(name, `not a whole number from ${kind.min} to ${kind.max} but ${describe(value)}`);
}

/**
 * A counter above 2^53, which some reach (a 100 Gbit/s link in a week), read from the text: the double that JSON.parse
 * made of it has lost its last digits. A reviver sees nested members of the same name as well, so what it sees is kept
 * by the object that holds it; the root is the value of its last call.
 */
function exactInteger(text: string, name: string): bigint | undefined {
  const seen = new Map<unknown, bigint>();
  let exact: bigint | undefined;
  const revive = function (this: unknown, key: string, value: unknown, context: { source?: string }): unknown {
    const source = context.source ?? '';
    if (key === name && /^-?\d{1,19}$/.test(source)) seen.set(this, BigInt(source));
    if (key === '') exact = seen.get(value);
    return value;
  };
  JSON.parse(text, revive as (this: unknown, key: string, value: unknown) => unknown);
  return exact;
}

function invalid(field: string, reason: string, cause?: unknown): HostspoolError {
  return new HostspoolError('SAMPLE_INVALID', `${field}: ${reason}`, cause === undefined ? {} : { cause });
}
