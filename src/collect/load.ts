/** The load averages of the last 1, 5 and 15 minutes, from /proc/loadavg. */

import { round2 } from '../lib/rounding.ts';
import type { Collector, Fields } from './collector.ts';
import type { KernelFile } from './kernel-file.ts';

export class LoadCollector implements Collector {
  readonly name = 'load';
  readonly #loadavg: KernelFile;

  constructor(loadavg: KernelFile) {
    this.#loadavg = loadavg;
  }

  collect(): Fields {
    const cursor = this.#loadavg.read();
    const fields = {
      load_1: round2(cursor.decimal()),
      load_5: round2(cursor.decimal()),
      load_15: round2(cursor.decimal()),
    };
    if (Object.values(fields).some(Number.isNaN)) throw this.#loadavg.garbled('three averages');
    return fields;
  }

  close(): void {
    this.#loadavg.close();
  }
}
