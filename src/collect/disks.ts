/**
 * Bytes read from and written to disks since boot, from /proc/diskstats.
 *
 * Only whole disks count, so that each byte counts once: not their partitions, and nothing stacked on other devices or
 * on memory (dm, md, loop, ram, zram, zvols), whose bytes reach a disk below and are counted there. psutil's sum has
 * those too, and so counts an encrypted volume twice. Which ones are disks /sys/block tells: a whole device has an
 * entry there, and one with hardware, real or virtual, has a `device` in it. The network block device has none and
 * still is the last device its bytes pass; the paths of a multipath NVMe disk are `hidden`, and only their head counts.
 *
 * What a device is gets looked up when its name first appears, and again after it was gone. Where a host shows no disk
 * (most containers) the fields are left out.
 */
import { existsSync } from 'node:fs';
import { readRegularFile } from '../lib/regular-file.ts';
import type { DiskDetail } from '../sample/sample.ts';
import { type Collector, DETAIL_ENTRIES, type Fields } from './collector.ts';
import type { KernelFile } from './kernel-file.ts';
import { addCounters, sectorBytes } from './values.ts';

const HIDDEN_LIMIT = 4096;
const NETWORK_BLOCK_DEVICE = /^nbd\d+$/;

/** After the name: reads, reads merged, sectors read, ms, writes, writes merged, sectors written. */
const READS = 0;
const SECTORS_READ = 2;
const WRITES = 4;
const SECTORS_WRITTEN = 6;
const COLUMNS = 7;

interface Device {
  readonly isDisk: boolean;
  seenAt: number;
}

export class DisksCollector implements Collector {
  readonly name = 'disks';
  readonly #diskstats: KernelFile;
  readonly #sysBlock: string;
  readonly #details: boolean;
  readonly #row = new Float64Array(COLUMNS);
  readonly #devices = new Map<string, Device>();
  #reading = 0;

  constructor(diskstats: KernelFile, sysBlock: string, details: boolean) {
    this.#diskstats = diskstats;
    this.#sysBlock = sysBlock;
    this.#details = details;
  }

  collect(): Fields {
    const cursor = this.#diskstats.readIfPresent();
    if (cursor === undefined || cursor.atEnd) return {};
    this.#reading++;
    let read = 0;
    let written = 0;
    let count = 0;
    const disks: DiskDetail[] = [];
    do {
      if (Number.isNaN(cursor.integer() + cursor.integer()))
        throw this.#diskstats.garbled('device in one of its lines');
      const name = cursor.word();
      if (!this.#isDisk(name)) continue;
      for (let column = 0; column < COLUMNS; column++) {
        const value = cursor.integer();
        if (Number.isNaN(value)) throw this.#diskstats.garbled(`counters of ${name.slice(0, 64)}`);
        this.#row[column] = value;
      }
      count++;
      const detail = this.#detail(name);
      read = addCounters(read, detail.read_bytes);
      written = addCounters(written, detail.write_bytes);
      if (this.#details && disks.length < DETAIL_ENTRIES) disks.push(detail);
    } while (cursor.nextLine());
    this.#forgetGone();
    const totals = count === 0 ? {} : { disk_read_bytes: read, disk_write_bytes: written };
    return this.#details ? { ...totals, disks } : totals;
  }

  #detail(name: string): DiskDetail {
    return {
      name,
      read_bytes: sectorBytes(this.#row[SECTORS_READ] as number),
      write_bytes: sectorBytes(this.#row[SECTORS_WRITTEN] as number),
      reads: this.#row[READS] as number,
      writes: this.#row[WRITES] as number,
    };
  }

  #isDisk(name: string): boolean {
    let device = this.#devices.get(name);
    if (device === undefined) {
      device = { isDisk: this.#lookUp(name), seenAt: 0 };
      this.#devices.set(name, device);
    }
    device.seenAt = this.#reading;
    return device.isDisk;
  }

  #lookUp(name: string): boolean {
    // sysfs writes the slash of names like cciss/c0d0 as an exclamation mark.
    const entry = `${this.#sysBlock}/${name.replaceAll('/', '!')}`;
    if (name.startsWith('.') || !existsSync(entry)) return false;
    if (!existsSync(`${entry}/device`)) return NETWORK_BLOCK_DEVICE.test(name);
    const hidden = readRegularFile(`${entry}/hidden`, HIDDEN_LIMIT);
    // Older kernels know no hidden devices.
    return 'problem' in hidden || hidden.bytes.toString('latin1').trim() !== '1';
  }

  #forgetGone(): void {
    for (const [name, device] of this.#devices) {
      if (device.seenAt !== this.#reading) this.#devices.delete(name);
    }
  }

  close(): void {
    this.#diskstats.close();
  }
}
