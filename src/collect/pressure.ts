/**
 * Pressure-stall information: the share of the last 10 s in which some task (or all of them: full) waited for CPU,
 * memory or I/O. From /proc/pressure, which a kernel has since 4.20 unless it was built or booted without; where it
 * is missing the fields are left out and the files not asked again. CPU has no useful `full` for a whole host.
 */
import { type ByteCursor, label } from './byte-cursor.ts';
import type { Collector, Fields } from './collector.ts';
import type { KernelFile } from './kernel-file.ts';
import { percent } from './values.ts';

const SOME = label('some avg10=');
const FULL = label('full avg10=');

interface Averages {
  readonly some: number;
  readonly full: number;
}

export class PressureCollector implements Collector {
  readonly name = 'pressure';
  readonly #cpu: KernelFile;
  readonly #memory: KernelFile;
  readonly #io: KernelFile;

  constructor(cpu: KernelFile, memory: KernelFile, io: KernelFile) {
    this.#cpu = cpu;
    this.#memory = memory;
    this.#io = io;
  }

  collect(): Fields {
    const cpu = readAverages(this.#cpu);
    const memory = readAverages(this.#memory);
    const io = readAverages(this.#io);
    return {
      ...(cpu === undefined ? {} : { pressure_cpu_some_percent: given(this.#cpu, cpu.some) }),
      ...(memory === undefined
        ? {}
        : {
            pressure_memory_some_percent: given(this.#memory, memory.some),
            pressure_memory_full_percent: given(this.#memory, memory.full),
          }),
      ...(io === undefined
        ? {}
        : {
            pressure_io_some_percent: given(this.#io, io.some),
            pressure_io_full_percent: given(this.#io, io.full),
          }),
    };
  }

  close(): void {
    for (const file of [this.#cpu, this.#memory, this.#io]) file.close();
  }
}

function readAverages(file: KernelFile): Averages | undefined {
  const cursor = file.readIfPresent();
  return cursor === undefined ? undefined : parseAverages(cursor);
}

function parseAverages(cursor: ByteCursor): Averages {
  let some = Number.NaN;
  let full = Number.NaN;
  do {
    if (cursor.take(SOME)) some = cursor.decimal();
    else if (cursor.take(FULL)) full = cursor.decimal();
  } while (cursor.nextLine());
  return { some, full };
}

function given(file: KernelFile, average: number): number {
  if (Number.isNaN(average)) throw file.garbled('avg10');
  return percent(average);
}
