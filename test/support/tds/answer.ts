/** Sends an answer, unless a fault at its place cuts it short. */
import { Dropped, type Faults } from './faults.ts';
import { PACKET, packetsOf } from './packets.ts';

/** The way to the client. */
export interface Outlet {
  readonly packetSize: number;
  /** A whole message. */
  send(data: Buffer): Promise<void>;
  /** Bytes as they are. */
  write(bytes: Buffer): Promise<void>;
}

export async function answer(
  faults: Faults,
  outlet: Outlet,
  at: string | readonly string[],
  tokens: Buffer,
  signal: AbortSignal,
): Promise<void> {
  try {
    await faults.pass(at, 'answer', signal);
  } catch (error) {
    if (error instanceof Dropped && error.torn !== undefined)
      await outlet.write(torn(tokens, error.torn, outlet.packetSize));
    throw error;
  }
  await outlet.send(tokens);
}

/** The first half: of the tokens, in a packet that is whole and not the last; or of the packet. */
function torn(tokens: Buffer, how: 'torn' | 'cut-packet', packetSize: number): Buffer {
  const half = tokens.subarray(0, Math.ceil(tokens.length / 2));
  const [packet = Buffer.alloc(0)] = packetsOf(PACKET.answer, how === 'torn' ? half : tokens, packetSize);
  if (how === 'cut-packet') return packet.subarray(0, Math.ceil(packet.length / 2));
  packet.writeUInt8(0, 1);
  return packet;
}
