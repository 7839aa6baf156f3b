/**
 * Memory and swap, from /proc/meminfo, with psutil's meanings: used = total − available, percent of the total.
 *
 * Available is the kernel's own MemAvailable. Where it is missing (before 3.14) or 0 (a kernel bug) it is estimated as
 * the kernel of 3.14 did: free memory, page cache and reclaimable slab, less what the zones keep back (the sum of
 * their low watermarks in /proc/zoneinfo); and where even the parts of that are missing, as free plus cached. Above
 * the total, as some containers show it, it means nothing: then it is what is free.
 */
import { type ByteCursor, label } from './byte-cursor.ts';
import type { Collector, Fields } from './collector.ts';
import type { KernelFile } from './kernel-file.ts';
import { mib, percentOf } from './values.ts';

const LABELS = {
  total: label('MemTotal:'),
  free: label('MemFree:'),
  available: label('MemAvailable:'),
  cached: label('Cached:'),
  activeFile: label('Active(file):'),
  inactiveFile: label('Inactive(file):'),
  reclaimable: label('SReclaimable:'),
  swapTotal: label('SwapTotal:'),
  swapFree: label('SwapFree:'),
};
type Name = keyof typeof LABELS;
const ENTRIES = Object.entries(LABELS) as [Name, Uint8Array][];

const LOW_WATERMARK = label('low');
/** A watermark counts pages. The kernels that need the estimate run Node on x86-64 only, where a page is 4 KiB. */
const PAGE_KIB = 4;

export class MemoryCollector implements Collector {
  readonly name = 'memory';
  readonly #meminfo: KernelFile;
  readonly #zoneinfo: KernelFile;

  constructor(meminfo: KernelFile, zoneinfo: KernelFile) {
    this.#meminfo = meminfo;
    this.#zoneinfo = zoneinfo;
  }

  collect(): Fields {
    const kib = readEntries(this.#meminfo.read());
    if (!(kib.total > 0)) throw this.#meminfo.garbled('MemTotal');
    const available = this.#available(kib);
    if (Number.isNaN(available)) throw this.#meminfo.garbled('MemAvailable, nor MemFree to estimate it from');
    const used = kib.total - available;
    return {
      memory_percent: percentOf(used, kib.total),
      memory_used_mb: mib(used),
      memory_total_mb: mib(kib.total),
      memory_available_mb: mib(available),
      ...swapFields(kib),
    };
  }

  /** KiB, 0 to the total; NaN where nothing tells. */
  #available(kib: Record<Name, number>): number {
    const available = kib.available > 0 ? kib.available : this.#estimate(kib);
    if (available > kib.total) return Math.min(kib.free, kib.total);
    return Math.max(0, available);
  }

  #estimate(kib: Record<Name, number>): number {
    const pageCache = kib.activeFile + kib.inactiveFile;
    const simple = kib.free + (kib.cached || 0);
    if (Number.isNaN(pageCache + kib.reclaimable)) return simple;
    const kept = this.#lowWatermarks();
    if (kept === undefined) return simple;
    return Math.trunc(
      kib.free -
        kept +
        (pageCache - Math.min(pageCache / 2, kept)) +
        (kib.reclaimable - Math.min(kib.reclaimable / 2, kept)),
    );
  }

  /** KiB that the zones keep back; undefined where the kernel does not show its zones. */
  #lowWatermarks(): number | undefined {
    const cursor = this.#zoneinfo.readIfPresent();
    if (cursor === undefined) return undefined;
    let pages = 0;
    do {
      cursor.skipBlanks();
      if (cursor.take(LOW_WATERMARK)) pages += cursor.integer() || 0;
    } while (cursor.nextLine());
    return pages * PAGE_KIB;
  }

  close(): void {
    this.#meminfo.close();
    this.#zoneinfo.close();
  }
}

function readEntries(cursor: ByteCursor): Record<Name, number> {
  const none = Number.NaN;
  const kib: Record<Name, number> = {
    total: none,
    free: none,
    available: none,
    cached: none,
    activeFile: none,
    inactiveFile: none,
    reclaimable: none,
    swapTotal: none,
    swapFree: none,
  };
  do {
    for (const [name, text] of ENTRIES) {
      if (cursor.take(text)) {
        kib[name] = cursor.integer();
        break;
      }
    }
  } while (cursor.nextLine());
  return kib;
}

function swapFields({ swapTotal, swapFree }: Record<Name, number>): Fields {
  if (Number.isNaN(swapTotal + swapFree)) return {};
  const used = Math.max(0, swapTotal - swapFree);
  return { swap_total_mb: mib(swapTotal), swap_used_mb: mib(used), swap_percent: percentOf(used, swapTotal) };
}
