/**
 * Runs build/hostspool as its users do and reads its log. `npm test` has built it before the tests start; a test run
 * by hand uses the one that is there.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { spawnTied } from './tied.ts';

export const executable = join(import.meta.dirname, '../../build/hostspool');

if (!existsSync(executable)) throw new Error('build/hostspool is missing: npm run build');

/** The environment of a process that knows nothing of this machine's settings. */
const BARE_ENV = { PATH: '/nonexistent', CREDENTIALS_DIRECTORY: '' };

/** Where `npm test` keeps all that executables write, to look for secrets in it. */
const OUTPUT = process.env.HOSTSPOOL_TEST_OUTPUT;

function keep(written: string | Buffer): void {
  if (OUTPUT !== undefined) appendFileSync(join(OUTPUT, `executables-${process.pid}.log`), written);
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runExecutable(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; uid?: number } = {},
): Finished {
  const { env = {}, cwd, uid } = options;
  const result = spawnSync(executable, args, {
    env: { ...BARE_ENV, ...env },
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  keep(`${result.stdout}${result.stderr}`);
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly event?: string; readonly level?: string };

/** A running executable; its standard output is its log. It dies with who started it. */
export class RunningExecutable implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: LogLine[] = [];
  readonly #exited: Promise<number | null>;
  #waiting: (() => void)[] = [];
  #stderr = '';

  /** `program`: what is run instead of the executable, with arguments that come before `args`. */
  constructor(
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    [program, ...before]: readonly [string, ...string[]] = [executable],
  ) {
    this.#child = spawnTied(program, [...before, ...args, '--log.format=json'], {
      env: { ...BARE_ENV, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
      this.#lines.push(JSON.parse(text) as LogLine);
      this.#changed();
    });
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', (data) => {
      keep(data as Buffer);
      this.#stderr += String(data);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.on('close', (code) => {
        resolve(code);
        this.#changed();
      });
    });
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves with the first line for which `test` holds, past or future; rejects when the process ends first. */
  async line(test: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = this.#lines.find(test);
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`the process ended (${this.#child.exitCode ?? this.#child.signalCode}): ${this.#stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  event(name: string): Promise<LogLine> {
    return this.line((line) => line.event === name);
  }

  /** Resolves with the exit code (null when a signal ended it). */
  get exited(): Promise<number | null> {
    return this.#exited;
  }

  /** Samples taken so far; needs `--log.level=debug`. */
  taken(): LogLine[] {
    return this.#lines.filter((line) => line.event === 'sample_taken');
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Sends the signal and resolves with the exit code (null when the signal ended it). */
  async end(name: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#child.kill(name);
    return this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** A new empty directory, removed at the end. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'hostspool-test-'));

  file(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Resolves once `condition` holds; asks again and again, and gives up loudly. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 60_000,
): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
