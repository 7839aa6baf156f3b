/** LOGIN7: who wants in, to which database, with what password. */
import { ByteReader } from './bytes.ts';

export interface LoginRequest {
  readonly tdsVersion: number;
  readonly packetSize: number;
  readonly workstation: string;
  readonly user: string;
  readonly password: string;
  readonly application: string;
  readonly server: string;
  readonly library: string;
  readonly database: string;
  readonly readOnlyIntent: boolean;
}

/** Where the offsets and lengths of the texts begin. */
const TEXTS = 36;

export function readLogin(data: Buffer): LoginRequest {
  const head = new ByteReader(data, 4);
  const tdsVersion = head.uint32();
  const packetSize = head.uint32();
  const typeFlags = data.readUInt8(26);
  const field = (index: number): Buffer => {
    const offset = data.readUInt16LE(TEXTS + index * 4);
    return data.subarray(offset, offset + data.readUInt16LE(TEXTS + index * 4 + 2) * 2);
  };
  const text = (index: number): string => field(index).toString('utf16le');
  return {
    tdsVersion,
    packetSize,
    workstation: text(0),
    user: text(1),
    password: clear(field(2)).toString('utf16le'),
    application: text(3),
    server: text(4),
    library: text(6),
    database: text(8),
    readOnlyIntent: (typeFlags & 0x20) !== 0,
  };
}

/** How a password looks on the wire; that is obfuscation, not encryption. */
export function obfuscated(password: string): Buffer {
  return Buffer.from(password, 'utf16le').map((byte) => (((byte & 0x0f) << 4) | (byte >> 4)) ^ 0xa5) as Buffer;
}

function clear(bytes: Buffer): Buffer {
  return Buffer.from(bytes).map((byte) => {
    const swapped = byte ^ 0xa5;
    return ((swapped & 0x0f) << 4) | (swapped >> 4);
  }) as Buffer;
}
