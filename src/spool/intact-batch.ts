/**
 * Reads a batch of samples with one buffer for all of them, as long as every one is what was written.
 *
 * A row at a time, a sample is a text and a few small objects, which the next collection of garbage finds alive and
 * copies: half of what a backlog costs. Here SQLite joins what the checksums are over, and the numbers, which come on
 * their own, are written into the gaps; a text is made of a payload only for whoever asks for one.
 *
 *   { run_id │ seq, taken_at, monotonic_at: 24 bytes left free │ event_id │ payload as UTF-8 }*
 *
 * Every byte then has its place, so that a sample whose checksum holds is what was written, whatever the columns claim
 * to be. Anything that does not fit, or has another checksum, and nothing of the batch is given: the caller then reads
 * row by row, and finds out which of them it is.
 */
import { uuidFromBytes } from '../sample/identity.ts';
import type { SampleIdentity } from '../sample/sample.ts';
import { checksumInPlace, HEAD_BYTES, ID_BYTES, isWhole } from './checksum.ts';
import type { ReadLimits, SpooledSample } from './outlet.ts';
import { PACKED_HEADS, type PackedHead, type Store } from './store.ts';

const EVENT_ID_AT = HEAD_BYTES - ID_BYTES;

/** The oldest samples behind id `after`, up to the limits; undefined if one of them is not intact. */
export function readIntact(
  store: Store,
  after: number,
  limits: ReadLimits,
  hostnameOf: (runId: string) => string,
): SpooledSample[] | undefined {
  const heads = headsOf(store, after, limits);
  if (heads === undefined) return undefined;
  const last = heads.at(-1);
  if (last === undefined) return [];
  const bytes = store.packed.get(after, last[0])?.[0];
  const total = heads.reduce((sum, head) => sum + HEAD_BYTES + (head[5] as number), 0);
  if (!Buffer.isBuffer(bytes) || bytes.length !== total) return undefined;

  const samples: SpooledSample[] = [];
  let begin = 0;
  let runAt = -1;
  let runId = '';
  let hostname = '';
  for (const [id, seq, takenAt, monotonicAt, crc, size] of heads) {
    const end = begin + HEAD_BYTES + (size as number);
    if (checksumInPlace(bytes.subarray(begin, end), seq, takenAt, monotonicAt) !== crc) return undefined;
    if (runAt < 0 || !isSameRun(bytes, runAt, begin)) {
      runId = uuidFromBytes(bytes.subarray(begin, begin + ID_BYTES));
      hostname = hostnameOf(runId);
    }
    runAt = begin;
    samples.push(new PackedSample(id, hostname, runId, seq, takenAt, bytes, begin, end));
    begin = end;
  }
  return samples;
}

/** As many as the limits allow, at least one; undefined if a number is none that was written. */
function headsOf(store: Store, after: number, limits: ReadLimits): PackedHead[] | undefined {
  const heads: PackedHead[] = [];
  let bytes = 0;
  for (;;) {
    // In small lists: one row at a time is dearer, and where samples are large few fit.
    const some = store.packedHeads.all(heads.at(-1)?.[0] ?? after);
    for (const head of some) {
      const [, seq, takenAt, monotonicAt, , size] = head;
      if (size === null || !isWhole(seq) || seq < 1 || !isWhole(takenAt) || !isWhole(monotonicAt)) return undefined;
      bytes += size;
      if (heads.length > 0 && bytes > limits.bytes) return heads;
      if (heads.push(head) >= limits.samples) return heads;
    }
    if (some.length < PACKED_HEADS) return heads;
  }
}

function isSameRun(bytes: Buffer, one: number, other: number): boolean {
  for (let index = 0; index < ID_BYTES; index++) if (bytes[one + index] !== bytes[other + index]) return false;
  return true;
}

class PackedSample implements SpooledSample {
  readonly id: number;
  readonly hostname: string;
  readonly takenAt: number;
  readonly #runId: string;
  readonly #seq: number;
  readonly #batch: Buffer;
  readonly #begin: number;
  readonly bytes: Buffer;

  constructor(
    id: number,
    hostname: string,
    runId: string,
    seq: number,
    takenAt: number,
    batch: Buffer,
    begin: number,
    end: number,
  ) {
    this.id = id;
    this.hostname = hostname;
    this.takenAt = takenAt;
    this.#runId = runId;
    this.#seq = seq;
    this.#batch = batch;
    this.#begin = begin;
    this.bytes = batch.subarray(begin + HEAD_BYTES, end);
  }

  get identity(): SampleIdentity {
    const at = this.#begin + EVENT_ID_AT;
    const event_id = uuidFromBytes(this.#batch.subarray(at, at + ID_BYTES));
    return { event_id, run_id: this.#runId, seq: this.#seq };
  }

  get payload(): string {
    return this.bytes.toString();
  }
}
