/**
 * The tail of a run: the last sequence number taken, on disk before the sample is, and the last one acknowledged while
 * its row waits for the next append to be deleted (see Spool.acknowledgeAll).
 *
 * The file is 4 KiB, made and fsynced when the spool is opened, and from then on only overwritten in place: that needs
 * no space and no fsync, so it works on a full disk, and what was written survives the death of the process (not of
 * the machine: then the spool itself may know more, and the greater of the two counts).
 *
 *   0      64     128                         3968      4032   4096
 *   ├──────┼──────┼── … up to 31 pairs … ──────┤ (spare) │ pid │
 *   │ slot │ slot │  one pair of slots a run
 *
 * A run has two slots, used in turn, so that a write torn by a power cut leaves the one before it. Pairs before that of
 * the running one are of earlier runs: should the spool's file be destroyed, nothing else knows how far they came, and
 * of which all was told. And a run whose beginning is not committed, for long on a full disk, takes the pair behind all
 * others, until a commit has taken their tails over; where none is left, one goes that says the least.
 *
 *   slot  magic u32 | flags u32 | boot u32 | acked u32 | run_id 16 | seq u64 | crc u32   (big-endian)
 *
 * The holder of the spool also leaves its process id here, for the message of whoever is refused the lock.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { uuidFromBytes, uuidToBytes } from '../sample/identity.ts';

const SIZE = 4096;
const SLOT = 64;
const PAIR = 2 * SLOT;
const PAIRS = 31;
/** The newest of the earlier runs that are kept; what is left is for starts that cannot be committed. */
const MOST_KEPT = 24;
const PID_AT = 4032;
const SLOT_MAGIC = 0x68735431;
const PID_MAGIC = 0x68735031;
const ACKED_AT = 12;
const SEQ_AT = 32;
const CRC_AT = 40;
const BEGUN = 1;
const TOLD = 2;

/** What the file says of one run. */
export interface RunTail {
  readonly runId: string;
  /** The last sequence number taken; 0 before the first. */
  readonly seq: number;
  /** A number up to which all are acknowledged, even if the spool still has some of them; 0 where nothing is said. */
  readonly acked: number;
  /** Whether the run's beginning had been committed to the spool. */
  readonly begun: boolean;
  /** Whether all of it is acknowledged, and the notes about it and its end: nothing is left that could be lost. */
  readonly told: boolean;
  /** Whether it was written in this boot, so that nothing written is missing. */
  readonly thisBoot: boolean;
  /** Whether both of its slots can be read: of two, the one that is destroyed may have been the newer. */
  readonly whole: boolean;
}

type Slot = Omit<RunTail, 'whole'>;

interface NewestSlot {
  readonly tail: RunTail;
  /** As it is in the file. */
  readonly bytes: Buffer;
}

/** Of two slots of a run. */
function isNewer(slot: Slot, other: Slot): boolean {
  return slot.seq > other.seq || (slot.seq === other.seq && slot.acked >= other.acked);
}

function slotsIn(pair: Buffer): readonly Buffer[] {
  return [pair.subarray(0, SLOT), pair.subarray(SLOT, PAIR)];
}

const NONE: ReadonlySet<string> = new Set();

export class Tail {
  readonly #file: number;
  readonly #boot: number;
  readonly #slot = Buffer.alloc(SLOT);
  #pair = 0;
  #written = 0;
  #seq = 0;

  private constructor(file: number, bootId: string) {
    this.#file = file;
    this.#boot = crc32(bootId);
  }

  /** Opens the file, making it where it is missing or short. Throws what the system says. */
  static open(path: string, bootId: string, mode: number): Tail {
    const file = openSync(path, 'a+', mode);
    closeSync(file);
    const tail = new Tail(openSync(path, 'r+'), bootId);
    try {
      tail.#fill();
      return tail;
    } catch (error) {
      tail.close();
      throw error;
    }
  }

  /** The process id that the file names; undefined if it names none or can't be read. */
  static holder(path: string): number | undefined {
    try {
      const record = readFileSync(path).subarray(PID_AT, PID_AT + 12);
      if (record.length < 12 || record.readUInt32BE(0) !== PID_MAGIC) return undefined;
      return crc32(record.subarray(0, 8)) === record.readUInt32BE(8) ? record.readUInt32BE(4) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Blocks for the whole file, so that overwriting never needs one. What it holds stays. */
  #fill(): void {
    const content = this.#read();
    writeSync(this.#file, content, 0, SIZE, 0);
    ftruncateSync(this.#file, SIZE);
    fsyncSync(this.#file);
  }

  /** What the file says of its runs, for a process that only looks; nothing where it can't be read. */
  static peek(path: string, bootId: string): RunTail[] {
    try {
      const content = Buffer.alloc(SIZE);
      readFileSync(path).copy(content);
      return new Tail(-1, bootId).#runsOf(content);
    } catch {
      return [];
    }
  }

  /** The tails of all runs in the file, in the order they were begun. */
  runs(): RunTail[] {
    return this.#runsOf(this.#read());
  }

  #runsOf(content: Buffer): RunTail[] {
    return [...this.#newest(content).values()].map(({ tail }) => tail);
  }

  /** The newest slot of each run, in the order the runs were begun. */
  #newest(content: Buffer): Map<string, NewestSlot> {
    const found = new Map<string, NewestSlot>();
    for (let pair = 0; pair < PAIRS; pair++) {
      const bytes = slotsIn(content.subarray(pair * PAIR));
      const tails = bytes.map((slot) => this.#decode(slot));
      const whole = tails[0] !== undefined && tails[0].runId === tails[1]?.runId;
      for (const [index, tail] of tails.entries()) {
        if (tail === undefined) continue;
        const other = found.get(tail.runId)?.tail;
        if (other !== undefined && !isNewer(tail, other)) continue;
        found.set(tail.runId, { tail: { ...tail, whole }, bytes: bytes[index] as Buffer });
      }
    }
    return found;
  }

  /** Leaves this process's id for whoever is refused. */
  hold(pid: number): void {
    const record = Buffer.alloc(12);
    record.writeUInt32BE(PID_MAGIC, 0);
    record.writeUInt32BE(pid, 4);
    record.writeUInt32BE(crc32(record.subarray(0, 8)), 8);
    writeSync(this.#file, record, 0, record.length, PID_AT);
  }

  /** Begins a run: behind all others, whose tails stay until `settle`. */
  begin(runId: string): void {
    this.#slot.writeUInt32BE(SLOT_MAGIC, 0);
    this.#slot.writeUInt32BE(0, 4);
    this.#slot.writeUInt32BE(this.#boot, 8);
    this.#slot.writeUInt32BE(0, ACKED_AT);
    uuidToBytes(runId).copy(this.#slot, 16);
    const used = this.#pairsUsed();
    if (used === PAIRS) this.#freeLastPair();
    this.#pair = Math.min(used, PAIRS - 1);
    this.write(0);
    this.write(0);
    fsyncSync(this.#file);
  }

  /** Drops the oldest run that took nothing, else the oldest of which all is told, else the newest: the last pair is free. */
  #freeLastPair(): void {
    const content = this.#read();
    const pairs = Array.from({ length: PAIRS }, (_, pair) => content.subarray(pair * PAIR, (pair + 1) * PAIR));
    const oldest = (least: (slot: Slot) => boolean) =>
      pairs.findIndex((pair) =>
        slotsIn(pair).every((bytes) => {
          const slot = this.#decode(bytes);
          return slot !== undefined && least(slot);
        }),
      );
    const dropped = [oldest(({ seq, begun }) => seq === 0 && !begun), oldest(({ told }) => told)].find(
      (pair) => pair >= 0,
    );
    pairs.splice(dropped ?? PAIRS - 1, 1);
    const moved = Buffer.concat(pairs);
    writeSync(this.#file, moved, 0, moved.length, 0);
  }

  /** The beginning of the run is committed, and with it the tails of all before: the file holds this and the `kept`. */
  settle(seq: number, kept: ReadonlySet<string> = NONE, told: ReadonlySet<string> = NONE): void {
    this.#slot.writeUInt32BE(BEGUN, 4);
    this.#encode(seq);
    const slots = [...this.#slotsOf(kept, told), this.#slot];
    const content = Buffer.alloc(PAIRS * PAIR);
    for (const [pair, slot] of slots.entries()) {
      slot.copy(content, pair * PAIR);
      slot.copy(content, pair * PAIR + SLOT);
    }
    writeSync(this.#file, content, 0, content.length, 0);
    this.#pair = slots.length - 1;
    fsyncSync(this.#file);
  }

  /** Of the earlier runs only these are kept from now on, and all of the `told` is told. Once the run is settled. */
  keep(kept: ReadonlySet<string>, told: ReadonlySet<string>): void {
    this.settle(this.#seq, kept, told);
  }

  /** The newest slot of each of these runs but the current one; where they are too many, those of the told go first. */
  #slotsOf(runs: ReadonlySet<string>, told: ReadonlySet<string>): Buffer[] {
    const current = uuidFromBytes(this.#slot.subarray(16, 32));
    const newest = [...this.#newest(this.#read()).values()].filter(
      ({ tail: { runId } }) => runId !== current && runs.has(runId),
    );
    let surplus = newest.length - MOST_KEPT;
    const slots: Buffer[] = [];
    for (const { tail, bytes } of newest) {
      const isTold = tail.told || told.has(tail.runId);
      if (isTold && surplus-- > 0) continue;
      if (isTold) bytes.writeUInt32BE(bytes.readUInt32BE(4) | TOLD, 4);
      bytes.writeUInt32BE(crc32(bytes.subarray(0, CRC_AT)), CRC_AT);
      slots.push(bytes);
    }
    return slots.slice(-MOST_KEPT);
  }

  /** Overwrites the older of the run's two slots. */
  write(seq: number): void {
    this.#encode(seq);
    this.#overwrite();
  }

  /** The same, with what is acknowledged: a number below 2^32. */
  acknowledged(acked: number): void {
    this.#slot.writeUInt32BE(acked, ACKED_AT);
    this.#slot.writeUInt32BE(crc32(this.#slot.subarray(0, CRC_AT)), CRC_AT);
    this.#overwrite();
  }

  #overwrite(): void {
    writeSync(this.#file, this.#slot, 0, SLOT, this.#pair * PAIR + (this.#written++ % 2) * SLOT);
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(): Buffer {
    const content = Buffer.alloc(SIZE);
    readSync(this.#file, content, 0, SIZE, 0);
    return content;
  }

  #encode(seq: number): void {
    this.#seq = seq;
    this.#slot.writeBigUInt64BE(BigInt(seq), SEQ_AT);
    this.#slot.writeUInt32BE(crc32(this.#slot.subarray(0, CRC_AT)), CRC_AT);
  }

  #decode(slot: Buffer): Slot | undefined {
    if (slot.readUInt32BE(0) !== SLOT_MAGIC) return undefined;
    if (slot.readUInt32BE(CRC_AT) !== crc32(slot.subarray(0, CRC_AT))) return undefined;
    return {
      runId: uuidFromBytes(slot.subarray(16, 32)),
      seq: Number(slot.readBigUInt64BE(SEQ_AT)),
      acked: slot.readUInt32BE(ACKED_AT),
      begun: (slot.readUInt32BE(4) & BEGUN) !== 0,
      told: (slot.readUInt32BE(4) & TOLD) !== 0,
      thisBoot: slot.readUInt32BE(8) === this.#boot,
    };
  }

  #pairsUsed(): number {
    const content = this.#read();
    for (let pair = PAIRS; pair > 0; pair--) {
      const at = (pair - 1) * PAIR;
      if (content.readUInt32BE(at) === SLOT_MAGIC || content.readUInt32BE(at + SLOT) === SLOT_MAGIC) return pair;
    }
    return 0;
  }
}
