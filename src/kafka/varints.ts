/**
 * Numbers of variable length, written where they belong.
 *
 * kafkajs makes an array and a buffer of each, and takes the 64-bit ones, which are nearly always zero here, through a
 * dozen objects of its own long integers. A record has seven of them: a seventh of what it costs to encode. The bytes
 * are the same.
 */
import Encoder from 'kafkajs/src/protocol/encoder.js';

/** The most bytes that 32 bits take, seven in each. */
const LONGEST = 5;

/** Below it a 64-bit number is encoded as a 32-bit one is. */
const SMALL = 2 ** 30;

const isSmall = (value: unknown): value is number => typeof value === 'number' && value > -SMALL && value < SMALL;

const QUICK = Symbol.for('hostspool.quick');

/** Applies it to kafkajs, once per process however often it is called. */
export function quickenVarints(): void {
  const { writeUVarInt, writeVarLong } = Encoder.prototype;
  const { sizeOfVarLong } = Encoder;
  if ((writeUVarInt as { [QUICK]?: true })[QUICK]) return;
  const quick = function (this: Encoder, value: number): Encoder {
    this.ensureAvailable(LONGEST);
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.buf[this.offset++] = (rest & 0x7f) | 0x80;
    this.buf[this.offset++] = rest;
    return this;
  };
  Encoder.prototype.writeUVarInt = Object.assign(quick, { [QUICK]: true as const });
  Encoder.prototype.writeVarLong = function (value) {
    return isSmall(value) ? this.writeVarInt(value) : writeVarLong.call(this, value);
  };
  Encoder.sizeOfVarLong = (value) =>
    isSmall(value) ? Encoder.sizeOfVarInt(value) : sizeOfVarLong.call(Encoder, value);
}
