/**
 * psutil, whose meanings the wire contract has, as a second opinion: a Python process that answers readings. It lives
 * in a virtual environment in build/psutil, made at the first use by venv and pip and used without a network after.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { PythonEnvironment } from './python-environment.ts';

const environment = new PythonEnvironment('psutil', ['psutil==7.2.2'], (made) =>
  made.runs('import psutil; assert psutil.version_info >= (7, 2)'),
);

export interface PsutilReading {
  readonly version: string;
  /** Bytes. */
  readonly memory: { total: number; used: number; available: number; percent: number };
  readonly swap: { total: number; used: number; percent: number };
  /** The root filesystem of this machine, whatever /proc was named. */
  readonly disk: { total: number; used: number; percent: number };
  readonly interfaces: Record<string, { sent: number; recv: number; errors: number; drops: number }>;
  readonly disks: Record<string, { read_bytes: number; write_bytes: number; reads: number; writes: number }>;
  /** Seconds since boot by state; of this machine only, as all that follows. */
  readonly cpu: Record<string, number>;
  readonly cpu_count: number;
  readonly load: readonly [number, number, number];
  readonly uptime: number;
  readonly processes: number;
  readonly partitions: readonly string[];
}

/** Makes the environment where it is missing; answers why psutil can't be had, or undefined. On CI that throws. */
export function preparePsutil(): string | undefined {
  const reason = environment.prepare();
  if (reason !== undefined && process.env.CI === 'true') throw new Error(`no comparison with psutil: ${reason}`);
  return reason;
}

export class Psutil {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;

  private constructor() {
    this.#process = spawn(environment.python, [join(import.meta.dirname, 'psutil-readings.py')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#process.stdout as NodeJS.ReadableStream });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  static open(): Psutil {
    return new Psutil();
  }

  /** What psutil says now, of this machine or of another /proc. */
  async read(procfs = '/proc'): Promise<PsutilReading> {
    this.#process.stdin?.write(`${procfs}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('psutil ended; its reason is on standard error');
    return JSON.parse(value) as PsutilReading;
  }

  close(): void {
    this.#lines.close();
    this.#process.stdin?.end();
  }
}
