/**
 * What one fetch brought of one partition, decoded: the piece that buffers and loads are made of.
 *
 * Messages and what was decoded of them lie side by side in two arrays, and a load takes a range of them, so nothing is
 * copied between the fetch and the rows. A message that cannot become a row has its refusal beside it; that one went
 * to the dead letters is remembered there, so it goes once however often its load is repeated.
 */

import { type LastTaken, lastTaken } from '../kafka/evidence.ts';
import type { FetchedMessage } from '../kafka/log-session.ts';
import { HostspoolError } from '../lib/errors.ts';
import { type DecodedSample, decodeMessage } from '../sample/decode.ts';

/** Why a message does not become a row. */
export interface Refusal {
  readonly code: string;
  readonly reason: string;
  /** The dead-letter topic has acknowledged it. */
  sent: boolean;
}

export interface Chunk {
  readonly kind: 'chunk';
  readonly epoch: number;
  readonly messages: readonly FetchedMessage[];
  /** One per message; undefined where there is a refusal. */
  readonly samples: (DecodedSample | undefined)[];
  /** By index into `messages`. */
  readonly refusals: Map<number, Refusal>;
  /** The first index that is not in a load. */
  from: number;
  /** The offset after the last message. */
  readonly next: number;
  /** Of the last message. */
  readonly evidence: LastTaken;
  /** When it came, by the monotonic clock. */
  readonly takenAt: number;
}

/** Messages of a chunk, from index `from` up to and without index `to`. */
export interface Slice {
  readonly chunk: Chunk;
  readonly from: number;
  readonly to: number;
}

/** `messages`: in order of offset, `last` the last of them. Never throws: what cannot be decoded is refused. */
export function decodeChunk(
  epoch: number,
  messages: readonly FetchedMessage[],
  last: LastTaken,
  takenAt: number,
): Chunk {
  const samples: (DecodedSample | undefined)[] = new Array(messages.length);
  const refusals = new Map<number, Refusal>();
  for (let index = 0; index < messages.length; index++) {
    try {
      samples[index] = decodeMessage((messages[index] as FetchedMessage).value);
    } catch (error) {
      samples[index] = undefined;
      refusals.set(index, refusalOf(error));
    }
  }
  const next = last.offset + 1;
  return { kind: 'chunk', epoch, messages, samples, refusals, from: 0, next, evidence: last, takenAt };
}

/** From now on the message is a dead letter. */
export function refuse(chunk: Chunk, index: number, error: unknown): void {
  chunk.samples[index] = undefined;
  chunk.refusals.set(index, refusalOf(error));
}

function refusalOf(error: unknown): Refusal {
  const isExpected = error instanceof HostspoolError;
  // A decoder that stumbles over a message must not stop the partition: it is a dead letter too, under another code.
  return {
    code: isExpected ? error.code : 'INTERNAL',
    reason: error instanceof Error ? error.message : String(error),
    sent: false,
  };
}

/** The last message of the slice, or of what was before it where the slice has none. */
export function endOf({ chunk, to }: Slice): LastTaken {
  return to === chunk.messages.length ? chunk.evidence : lastTaken(chunk.messages[to - 1] as FetchedMessage);
}

/** What a message counts for in the bound of the buffer, bytes. */
export function bytesOf({ key, value, headers }: FetchedMessage): number {
  let bytes = (value?.length ?? 0) + (key?.length ?? 0);
  for (const name in headers) for (const each of headers[name] ?? []) bytes += name.length + each.length;
  return bytes;
}

export function bytesOfMessages(messages: readonly FetchedMessage[], from = 0, to = messages.length): number {
  let bytes = 0;
  for (let index = from; index < to; index++) bytes += bytesOf(messages[index] as FetchedMessage);
  return bytes;
}
