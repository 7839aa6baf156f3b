/**
 * How busy the CPUs were since the last reading: psutil's cpu_percent and cpu_times_percent over the whole interval.
 *
 * The `cpu` line of /proc/stat counts ticks since boot. Each column's growth is taken by itself, and one that went
 * backward (iowait does on its own; others after a CPU was unplugged or a container resumed) grew by 0: so no share
 * is negative or above 100. The whole is the sum of the first eight columns: guest time is inside user, guest_nice
 * inside nice. Busy is the whole without idle and iowait; steal, time the hypervisor gave to others, counts as busy.
 *
 * Opening takes the first reading, so that the first sample covers a real span. Two readings within one tick span
 * nothing: the span stays open, the second repeats the last value (0 before there was one), and the next covers both.
 */
import { HostspoolError } from '../lib/errors.ts';
import { label } from './byte-cursor.ts';
import type { Collector, Fields } from './collector.ts';
import type { KernelFile } from './kernel-file.ts';
import { percentOf } from './values.ts';

const USER = 0;
const SYSTEM = 2;
const IDLE = 3;
const IOWAIT = 4;
const STEAL = 7;
const COLUMNS = 8;
/** The oldest kernels show these four: user, nice, system, idle. */
const FEWEST_COLUMNS = 4;

const ALL_CPUS = label('cpu ');
const ONE_CPU = label('cpu');

type Shares = Pick<
  Fields,
  'cpu_percent' | 'cpu_user_percent' | 'cpu_system_percent' | 'cpu_iowait_percent' | 'cpu_steal_percent'
>;

export class CpuCollector implements Collector {
  readonly name = 'cpu';
  readonly #stat: KernelFile;
  #before = new Float64Array(COLUMNS);
  #now = new Float64Array(COLUMNS);
  #cpus = 0;
  #hasBaseline = false;
  #shares: Shares;

  constructor(stat: KernelFile) {
    this.#stat = stat;
    this.#shares = sharesOf(new Float64Array(COLUMNS));
    try {
      this.#read();
      this.#closeSpan();
    } catch {
      // The first sample reads it again, and says what is wrong.
    }
  }

  collect(): Fields {
    this.#read();
    if (!this.#hasBaseline) {
      this.#closeSpan();
      throw new HostspoolError('COLLECT_NO_BASELINE', `${this.#stat.path} was read for the first time just now`, {
        hint: 'cpu_percent is a share of the time between two readings; the next sample has it',
        retryable: true,
      });
    }
    const grown = this.#now.map((value, column) => Math.max(0, value - (this.#before[column] as number)));
    if (grown.some((ticks) => ticks > 0)) this.#shares = sharesOf(grown);
    this.#closeSpan();
    return this.#cpus > 0 ? { ...this.#shares, cpu_count: this.#cpus } : { ...this.#shares };
  }

  #read(): void {
    const cursor = this.#stat.read();
    if (!cursor.take(ALL_CPUS)) throw this.#stat.garbled('line of all CPUs');
    for (let column = 0; column < COLUMNS; column++) {
      const ticks = cursor.integer();
      if (Number.isNaN(ticks) && column < FEWEST_COLUMNS) throw this.#stat.garbled('times of all CPUs');
      this.#now[column] = Number.isNaN(ticks) ? 0 : ticks;
    }
    this.#cpus = 0;
    while (cursor.nextLine() && cursor.take(ONE_CPU)) this.#cpus++;
  }

  #closeSpan(): void {
    [this.#before, this.#now] = [this.#now, this.#before];
    this.#hasBaseline = true;
  }

  close(): void {
    this.#stat.close();
  }
}

function sharesOf(grown: Float64Array): Shares {
  const whole = grown.reduce((sum, ticks) => sum + ticks, 0);
  const share = (ticks: number | undefined) => percentOf(ticks ?? 0, whole);
  return {
    cpu_percent: share(whole - (grown[IDLE] as number) - (grown[IOWAIT] as number)),
    cpu_user_percent: share(grown[USER]),
    cpu_system_percent: share(grown[SYSTEM]),
    cpu_iowait_percent: share(grown[IOWAIT]),
    cpu_steal_percent: share(grown[STEAL]),
  };
}
