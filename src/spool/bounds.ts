/**
 * How much the spool may hold, and how much an append must make room for.
 *
 * `max_bytes` bounds what the spool takes of the disk: pages in use plus the write-ahead log. At it the oldest samples
 * go, a stretch at a time, so that the work for one append stays the same however large the spool is. The log grows and
 * starts anew all the time; for the bound it always counts as grown, so that its growth never evicts a sample. The exact
 * number costs a query, so between two of them what was appended is added up, and only a sum that reaches the bound asks.
 *
 * `min_free` bounds what the spool leaves to others. Below it the file stops growing: an append evicts about as many
 * bytes as it adds, never more to make room for a neighbour, and nothing while there are free pages in the file. The
 * last few megabytes of a filesystem are left in any case: the reserve has to fit in.
 */
import { dirname } from 'node:path';
import type { SizeOrShare } from '../config/kinds.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { LossReason } from '../sample/note.ts';
import { faultOf } from './faults.ts';
import type { SpoolPorts } from './ports.ts';
import { RESERVE_BYTES, ROOM_FOR_RESERVE } from './reserve.ts';
import { PAGE_SIZE } from './schema.ts';
import { type Store, WAL_BYTES } from './store.ts';

export interface BoundsOptions {
  readonly path: string;
  /** Bytes. */
  readonly maxBytes: number;
  readonly minFree: SizeOrShare;
  readonly ports: SpoolPorts;
  readonly clock: Clock;
  readonly log: Log;
}

/** What has to go before an append. */
export interface Eviction {
  readonly bytes: number;
  readonly reason: LossReason;
}

/** What a row takes beside its payload, in bytes: its other columns, cell and page overhead. */
export const ROW_OVERHEAD = 72;

/** How long a measurement of the free space is good for, ms. */
const SPACE_VALID_MS = 1000;

/** Free bytes inside the file below which it counts as full. */
const FREE_PAGES_KEPT = 64 * 1024;

/** Share of max_bytes that is freed at a time, so that not every append evicts. */
const SLACK_SHARE = 512;

export class Bounds {
  readonly #options: BoundsOptions;
  #bytes = 0;
  /** Bytes with the log as if it had grown. */
  #atMost = 0;
  #free = Number.POSITIVE_INFINITY;
  #low = false;
  /** Bytes appended since the disk is low, less those evicted. */
  #debt = 0;
  #observedAt = Number.NEGATIVE_INFINITY;

  constructor(options: BoundsOptions) {
    this.#options = options;
  }

  /** Bytes the spool takes of the disk, as far as known. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is room for the reserve. */
  get roomForReserve(): boolean {
    return this.#free >= ROOM_FOR_RESERVE;
  }

  /** Whether the filesystem is below the bound of free space. */
  get low(): boolean {
    return this.#low;
  }

  /** Counts what was appended. `size`: bytes of the payload. */
  appended(size: number): void {
    this.#bytes += size + ROW_OVERHEAD;
    this.#atMost += inPages(size);
    if (this.#low) this.#debt += size + ROW_OVERHEAD;
  }

  /** Counts what is acknowledged, and soon deleted. */
  acknowledged(size: number): void {
    this.#bytes -= size + ROW_OVERHEAD;
    this.#atMost -= inPages(size);
  }

  /** Counts what was evicted. */
  evicted(bytes: number): void {
    if (this.#low) this.#debt -= bytes;
  }

  /** Asks the file. */
  measure(store: Store): void {
    const { used } = store.usage();
    const wal = store.walBytes();
    this.#bytes = used + wal;
    this.#atMost = used + Math.max(wal, WAL_BYTES);
  }

  /** What has to go before a payload of this size can be appended; undefined if nothing. */
  excess(size: number, store: Store): Eviction | undefined {
    this.observe();
    const { maxBytes } = this.#options;
    const adds = size + ROW_OVERHEAD;
    if (this.#atMost + inPages(size) > maxBytes) {
      this.measure(store);
      const over = this.#atMost + inPages(size) - maxBytes;
      if (over > 0) return { bytes: over + Math.floor(maxBytes / SLACK_SHARE), reason: 'spool_full' };
    }
    if (!this.#low || store.usage().free >= FREE_PAGES_KEPT) return undefined;
    const owed = this.#debt + adds;
    return owed > 0 ? { bytes: owed, reason: 'disk_full' } : undefined;
  }

  /** Measures the free space, unless that was done just now and `anew` does not ask for it. */
  observe(anew = false): void {
    const now = this.#options.clock.monotonic();
    if (!anew && now - this.#observedAt < SPACE_VALID_MS) return;
    this.#observedAt = now;
    const { path, minFree, ports, log } = this.#options;
    try {
      const { free, total } = ports.space(dirname(path));
      const bound = Math.max(RESERVE_BYTES, 'bytes' in minFree ? minFree.bytes : (total * minFree.percent) / 100);
      this.#free = free;
      this.#become(free < bound, { free_bytes: free, min_free_bytes: bound });
    } catch (error) {
      if (faultOf(error) === undefined) throw error;
      log.debug({ event: 'space_unknown', err: error });
    }
  }

  #become(low: boolean, fields: Readonly<Record<string, number>>): void {
    if (low === this.#low) return;
    this.#low = low;
    this.#debt = 0;
    const { log, path } = this.#options;
    if (low) {
      log.warn({ event: 'disk_low', path, ...fields }, 'the disk is nearly full; the spool stops growing');
    } else {
      log.info({ event: 'disk_has_room', path, ...fields }, 'the disk has room again; the spool may grow');
    }
  }
}

/** What an append may add to the file: whole pages, one of them for the tree. */
function inPages(size: number): number {
  return (Math.ceil((size + ROW_OVERHEAD) / PAGE_SIZE) + 1) * PAGE_SIZE;
}
