/** What a process costs, as the kernel accounts it. */
import { readFileSync } from 'node:fs';

/** Clock ticks a second in /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface ProcessCost {
  /** CPU time so far, of the process and the children it waited for, ms. */
  readonly cpuMs: number;
  /** Resident memory, MiB; of it private (anonymous), MiB. */
  readonly residentMiB: number;
  readonly privateMiB: number;
  /** Bytes it caused to be written to disk. */
  readonly writtenBytes: number;
  /** Times it was woken up. */
  readonly wakeups: number;
}

export function processCost(pid: number): ProcessCost {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
  const io = readFileSync(`/proc/${pid}/io`, 'utf8');
  return {
    cpuMs: (ticks / TICKS_PER_SECOND) * 1000,
    residentMiB: field('VmRSS') / 1024,
    privateMiB: field('RssAnon') / 1024,
    writtenBytes: Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? Number.NaN),
    wakeups: field('voluntary_ctxt_switches'),
  };
}
