/** Seconds since the host (in a container that shows its own: the container) was booted, from /proc/uptime. */

import { round2 } from '../lib/rounding.ts';
import type { Collector, Fields } from './collector.ts';
import type { KernelFile } from './kernel-file.ts';

export class UptimeCollector implements Collector {
  readonly name = 'uptime';
  readonly #uptime: KernelFile;

  constructor(uptime: KernelFile) {
    this.#uptime = uptime;
  }

  collect(): Fields {
    const seconds = round2(this.#uptime.read().decimal());
    if (Number.isNaN(seconds)) throw this.#uptime.garbled('seconds');
    return { uptime_seconds: seconds };
  }

  close(): void {
    this.#uptime.close();
  }
}
