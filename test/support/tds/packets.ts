/**
 * TDS packets: eight bytes of header (type, status, length of the whole packet, spid, number, window), then data. A
 * message is a run of packets of one type, the last of which says so.
 */

export const PACKET = {
  batch: 0x01,
  rpc: 0x03,
  answer: 0x04,
  attention: 0x06,
  bulkLoad: 0x07,
  transactionManager: 0x0e,
  login: 0x10,
  prelogin: 0x12,
} as const;

const STATUS = { last: 0x01, ignore: 0x02, resetConnection: 0x08, resetKeepingTransaction: 0x10 } as const;
const HEADER = 8;
const SMALLEST_PACKET_SIZE = 512;

export interface Packet {
  readonly type: number;
  readonly last: boolean;
  /** The client gave the message up in the middle: nothing of it counts. */
  readonly ignored: boolean;
  readonly reset: boolean;
  readonly data: Buffer;
}

/** Puts a stream of bytes back into packets. */
export class PacketSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Packet[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const packets: Packet[] = [];
    while (this.#rest.length >= HEADER) {
      const length = this.#rest.readUInt16BE(2);
      if (length < HEADER) throw new Error(`a packet of ${length} bytes, which is less than its header`);
      if (this.#rest.length < length) break;
      const status = this.#rest.readUInt8(1);
      packets.push({
        type: this.#rest.readUInt8(0),
        last: (status & STATUS.last) !== 0,
        ignored: (status & STATUS.ignore) !== 0,
        reset: (status & (STATUS.resetConnection | STATUS.resetKeepingTransaction)) !== 0,
        data: this.#rest.subarray(HEADER, length),
      });
      this.#rest = this.#rest.subarray(length);
    }
    return packets;
  }
}

/** A message as packets of at most `size` bytes. */
export function packetsOf(type: number, data: Buffer, size: number): Buffer[] {
  const room = Math.max(size, SMALLEST_PACKET_SIZE) - HEADER;
  const packets: Buffer[] = [];
  let start = 0;
  do {
    const piece = data.subarray(start, start + room);
    start += room;
    const header = Buffer.alloc(HEADER);
    header.writeUInt8(type, 0);
    header.writeUInt8(start >= data.length ? STATUS.last : 0, 1);
    header.writeUInt16BE(HEADER + piece.length, 2);
    header.writeUInt8((packets.length + 1) & 0xff, 6);
    packets.push(Buffer.concat([header, piece]));
  } while (start < data.length);
  return packets;
}
