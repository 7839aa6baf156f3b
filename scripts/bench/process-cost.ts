/** What a process costs, as the kernel accounts it. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessCost {
  /** CPU time of its threads so far, ms, to the nanosecond: the ticks of /proc/<pid>/stat are too coarse for a sample. */
  readonly cpuMs: number;
  /** Of it, that of the main thread; and of the others, without V8's profiler. */
  readonly mainMs: number;
  readonly besideMs: number;
  /** Resident memory, MiB; of it private (anonymous), MiB. */
  readonly residentMiB: number;
  readonly privateMiB: number;
  /** The most that was resident so far, MiB. */
  readonly peakMiB: number;
  /** Bytes it caused to be written to disk. */
  readonly writtenBytes: number;
  /** Times it was woken up. */
  readonly wakeups: number;
}

/** V8 calls the thread so that takes the samples of a profile. */
const PROFILER = 'ProfEvntProc';

export function processCost(pid: number): ProcessCost {
  const threads = readdirSync(`/proc/${pid}/task`);
  const onCpu = (thread: string) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]);
  const sum = (list: readonly string[]) => list.reduce((total, thread) => total + onCpu(thread), 0);
  const isProfiler = (thread: string) => readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').includes(PROFILER);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
  const io = readFileSync(`/proc/${pid}/io`, 'utf8');
  return {
    cpuMs: sum(threads) / 1e6,
    mainMs: onCpu(String(pid)) / 1e6,
    besideMs: sum(threads.filter((thread) => thread !== String(pid) && !isProfiler(thread))) / 1e6,
    residentMiB: field('VmRSS') / 1024,
    privateMiB: field('RssAnon') / 1024,
    peakMiB: field('VmHWM') / 1024,
    writtenBytes: Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? Number.NaN),
    wakeups: field('voluntary_ctxt_switches'),
  };
}
