/**
 * psutil, whose meanings the wire contract has, as a second opinion: a Python process that answers readings. It lives
 * in a virtual environment in build/psutil, made at the first use by venv and pip and used without a network after.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

const PACKAGE = 'psutil==7.2.2';
const environment = join(import.meta.dirname, '../../build/psutil');
const python = join(environment, 'bin/python');
const PIP_TIMEOUT_MS = 100_000;

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
  const reason = prepare();
  if (reason !== undefined && process.env.CI === 'true') throw new Error(`no comparison with psutil: ${reason}`);
  return reason;
}

function prepare(): string | undefined {
  const isUsable = () => spawnSync(python, ['-c', 'import psutil; assert psutil.version_info >= (7, 2)']).status === 0;
  if (existsSync(python) && isUsable()) return undefined;
  rmSync(environment, { recursive: true, force: true });
  if (spawnSync('python3', ['-m', 'venv', environment]).status !== 0) return 'no python3 with venv here';
  const pip = spawnSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PACKAGE], {
    timeout: PIP_TIMEOUT_MS,
    encoding: 'utf8',
  });
  if (isUsable()) return undefined;
  return `pip could not install ${PACKAGE}: ${pip.stderr.trim().split('\n').at(-1) ?? 'no reason given'}`;
}

export class Psutil {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;

  private constructor() {
    this.#process = spawn(python, [join(import.meta.dirname, 'psutil-readings.py')], {
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
