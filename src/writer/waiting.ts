/**
 * What was read of one partition and waits for a load, in order: chunks of messages, and the holes between them. A
 * load takes a piece off the head; one that came to nothing is put back. Sums are kept, so that bounds cost nothing.
 */

import type { LogPosition } from '../accounts/account.ts';
import type { LogHole } from '../accounts/advance.ts';
import { isThatOne, type LastTaken } from '../kafka/evidence.ts';
import type { Evidence } from '../sink/sink.ts';
import { bytesOfMessages, type Chunk, endOf, type Slice } from './chunk.ts';

/** Messages that the log does not have; reading goes on at `epoch` and `next`. */
export interface FoundHole {
  readonly kind: 'hole';
  readonly hole: LogHole;
  readonly epoch: number;
  readonly next: number;
  readonly takenAt: number;
}

type Item = Chunk | FoundHole;

/** A piece off the head. */
export interface Piece {
  readonly slices: readonly Slice[];
  readonly holes: readonly FoundHole[];
  /** Where the log goes on after it. */
  readonly epoch: number;
  readonly next: number;
  /** Of the message right before `next`. */
  readonly evidence: Evidence | null;
  readonly messages: number;
  readonly bytes: number;
}

export class Waiting {
  #items: Item[] = [];
  #messages = 0;
  #bytes = 0;

  get messages(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** When the oldest came; undefined where nothing waits. */
  get oldestAt(): number | undefined {
    return this.#items[0]?.takenAt;
  }

  /** The place of the first that waits. */
  get begin(): LogPosition | undefined {
    const first = this.#items[0];
    if (first === undefined) return undefined;
    if (first.kind === 'hole') return { epoch: first.hole.epoch, offset: first.hole.first_offset };
    return { epoch: first.epoch, offset: first.messages[first.from]?.offset ?? first.next };
  }

  push(item: Item): void {
    this.#items.push(item);
    if (item.kind === 'hole') return;
    this.#messages += item.messages.length;
    this.#bytes += bytesOfMessages(item.messages);
  }

  /** Takes at most so much, at least one message where there is room for any; undefined: nothing could be taken. */
  cut(maxMessages: number, maxBytes: number): Piece | undefined {
    const slices: Slice[] = [];
    const holes: FoundHole[] = [];
    let end: Pick<Piece, 'epoch' | 'next' | 'evidence'> | undefined;
    let messages = 0;
    let bytes = 0;
    let whole = 0;
    for (; whole < this.#items.length; whole++) {
      const item = this.#items[whole] as Item;
      if (item.kind === 'hole') {
        holes.push(item);
        end = { epoch: item.epoch, next: item.next, evidence: null };
      } else {
        const hasMessages = item.from < item.messages.length;
        if (hasMessages && (messages >= maxMessages || bytes >= maxBytes)) break;
        const slice = sliceOf(item, maxMessages - messages, maxBytes - bytes);
        const evidence = endOf(slice);
        end = { epoch: item.epoch, next: evidence.offset + 1, evidence };
        slices.push(slice);
        item.from = slice.to;
        messages += slice.to - slice.from;
        bytes += bytesOfMessages(item.messages, slice.from, slice.to);
        if (slice.to < item.messages.length) break;
      }
    }
    if (end === undefined) return undefined;
    this.#items.splice(0, whole);
    this.#messages -= messages;
    this.#bytes -= bytes;
    return { slices, holes, ...end, messages, bytes };
  }

  /** A piece that was not loaded goes back to the head. */
  putBack(piece: Piece): void {
    for (const { chunk, from } of piece.slices) chunk.from = from;
    const items: Item[] = [...piece.slices.map(({ chunk }) => chunk), ...piece.holes];
    // Of a chunk that was cut in two the rest is still here.
    const gone = items.filter((item) => item !== this.#items[0]).sort(inOrder);
    this.#items = [...gone, ...this.#items];
    this.#messages += piece.messages;
    this.#bytes += piece.bytes;
  }

  /** Leaves out all that lies below the place: of a hole that begins there, what somebody has passed. */
  dropBelow({ epoch, offset }: LogPosition): void {
    while (this.#items[0] !== undefined && !reachesBeyond(this.#items[0], epoch, offset)) {
      const item = this.#items.shift() as Item;
      if (item.kind === 'chunk') this.#pass(item, item.messages.length);
    }
    const first = this.#items[0];
    if (first?.kind === 'hole') this.#items[0] = { ...first, hole: from(first.hole, { epoch, offset }) };
    if (first?.kind !== 'chunk' || first.epoch !== epoch) return;
    const above = first.messages.findIndex((message) => message.offset >= offset);
    this.#pass(first, above < 0 ? first.messages.length : above);
  }

  /** Whether another message than the one that is known waits, or waited, in its place. */
  contradicts(epoch: number, known: LastTaken): boolean {
    for (const item of this.#items) {
      if (item.kind !== 'chunk' || item.epoch !== epoch || item.next <= known.offset) continue;
      const message = item.messages.find(({ offset }) => offset === known.offset);
      return message !== undefined && !isThatOne(known, message);
    }
    return false;
  }

  clear(): void {
    this.#items = [];
    this.#messages = 0;
    this.#bytes = 0;
  }

  /** Leaves out the messages of a chunk that stand before index `to`. */
  #pass(chunk: Chunk, to: number): void {
    if (to <= chunk.from) return;
    this.#messages -= to - chunk.from;
    this.#bytes -= bytesOfMessages(chunk.messages, chunk.from, to);
    chunk.from = to;
  }
}

/** From where the chunk stands, as many messages as fit; at least one, if it has one. */
function sliceOf(chunk: Chunk, maxMessages: number, maxBytes: number): Slice {
  const { from, messages } = chunk;
  let to = Math.min(messages.length, from + maxMessages);
  while (to - from > 1 && bytesOfMessages(messages, from, to) > maxBytes) to = from + Math.ceil((to - from) / 2);
  return { chunk, from, to };
}

function from(hole: LogHole, { epoch, offset }: LogPosition): LogHole {
  return hole.epoch === epoch && hole.first_offset < offset ? { ...hole, first_offset: offset } : hole;
}

function reachesBeyond(item: Item, epoch: number, offset: number): boolean {
  return item.epoch > epoch || (item.epoch === epoch && item.next > offset);
}

/** By the place up to which they reach. */
function inOrder(a: Item, b: Item): number {
  return a.epoch - b.epoch || a.next - b.next;
}
