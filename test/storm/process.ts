/**
 * One place in the storm where an executable runs again and again: killed, frozen, stopped and started by the faults.
 *
 * Its log is read as it is written and kept as a file beside it. That a process ends without having been told to is a
 * finding, and it is started again, as a supervisor would. It dies with the harness, however that one ends, and
 * not before: it has a session of its own, which a Ctrl-C at the terminal does not reach.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogLine } from '../support/executable.ts';
import { spawnTied } from '../support/tied.ts';
import { Resources } from './resources.ts';

export type Ending = 'killed' | 'stopped' | 'by itself';

export interface StormProcessOptions {
  readonly name: string;
  /** What runs first; `use` changes it. */
  readonly executable: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Where its log goes. */
  readonly log: string;
  readonly onLine?: (line: LogLine) => void;
  /** The process is gone and its log read to the end. */
  readonly onEnd?: (ending: Ending) => void;
}

/** How long a SIGTERM may take; on a busy machine the start that it meets may take half a minute by itself. */
const STOP_LIMIT_MS = 90_000;
const RESTART_AFTER_MS = 1000;
/** One that goes on ending by itself is left alone after so many times. */
const MOST_RESTARTS = 10;

export class StormProcess {
  readonly name: string;
  readonly #options: StormProcessOptions;
  readonly #log: number;
  readonly #findings: string[] = [];
  readonly #resources: Resources;
  #executable: string;
  readonly #waiting = new Set<(line: LogLine) => void>();
  #child: ChildProcess | undefined;
  #closed: Promise<number | null> = Promise.resolve(null);
  #expected: Ending | undefined;
  #starts = 0;
  #over = false;

  constructor(options: StormProcessOptions) {
    this.name = options.name;
    this.#options = options;
    this.#executable = options.executable;
    this.#log = openSync(options.log, 'a');
    this.#resources = new Resources(options.name);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** How many times it was started. */
  get starts(): number {
    return this.#starts;
  }

  get findings(): readonly string[] {
    return [...this.#findings, ...this.#resources.findings()];
  }

  get executable(): string {
    return this.#executable;
  }

  /** What the next start runs. */
  use(executable: string): void {
    this.#executable = executable;
  }

  start(): void {
    if (this.#child !== undefined || this.#over) return;
    this.#starts++;
    this.#expected = undefined;
    const { args, env = {} } = this.#options;
    const child = spawnTied(this.#executable, [...args, '--log.format=json'], {
      env: { PATH: '/nonexistent', CREDENTIALS_DIRECTORY: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    let stderr = '';
    child.stderr?.on('data', (data) => {
      stderr += String(data);
    });
    let torn = 0;
    let lines = 0;
    let saidStopped = false;
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
      writeSync(this.#log, `${text}\n`);
      let line: LogLine;
      try {
        line = JSON.parse(text) as LogLine;
      } catch {
        torn++;
        return;
      }
      if (torn > 0) this.#findings.push(`${this.name} wrote a line that is not JSON, and went on`);
      torn = 0;
      lines++;
      saidStopped = line.event === 'agent_stopped' || line.event === 'writer_stopped';
      this.#options.onLine?.(line);
      for (const waiting of this.#waiting) waiting(line);
    });
    this.#closed = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        writeSync(this.#log, `${JSON.stringify({ event: 'storm_process_ended', code, signal, stderr })}\n`);
        this.#child = undefined;
        this.#ended(code, signal, stderr, lines === 0 || saidStopped);
        resolve(code);
      });
    });
    child.once('error', (error) => this.#findings.push(`${this.name} could not be started: ${error.message}`));
    if (child.pid !== undefined) this.#resources.follow(child.pid);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null, stderr: string, mayTerminate: boolean): void {
    const ending = this.#expected ?? 'by itself';
    this.#resources.ended();
    this.#options.onEnd?.(ending);
    // Told to stop before it had begun to listen for it: then the signal itself ends it, and nothing was begun. Or all
    // was over, and on a busy machine something did not go away in time: then it signals itself.
    const wasNothing = signal === 'SIGTERM' && mayTerminate;
    if (ending === 'stopped' && code !== 0 && !wasNothing) {
      this.#findings.push(`${this.name} ended with ${code ?? signal} when it was stopped: ${stderr.slice(0, 500)}`);
    }
    if (ending !== 'by itself') return;
    this.#findings.push(`${this.name} ended by itself with ${code ?? signal}: ${stderr.slice(0, 500)}`);
    if (this.#findings.length > MOST_RESTARTS) return;
    void delay(RESTART_AFTER_MS, undefined, { ref: false }).then(() => this.start());
  }

  /** Ends it as a power cut would; resolves when it is gone and its log read. */
  async kill9(): Promise<void> {
    if (this.#child === undefined) return;
    this.#expected = 'killed';
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  /** SIGTERM; one that does not end in time is killed, which is a finding. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#expected = 'stopped';
    child.kill('SIGTERM');
    const limit = new AbortController();
    const late = delay(STOP_LIMIT_MS, true, { signal: limit.signal }).catch(() => false);
    if ((await Promise.race([this.#closed.then(() => false), late])) === true) {
      this.#findings.push(`${this.name} did not end within ${STOP_LIMIT_MS} ms of a SIGTERM`);
      this.#expected = 'killed';
      child.kill('SIGKILL');
      await this.#closed;
    }
    limit.abort();
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Resolves with the next line of its log for which `test` holds, or with undefined when `stop` aborts before. */
  next(test: (line: LogLine) => boolean, stop: AbortSignal): Promise<LogLine | undefined> {
    return new Promise((resolve) => {
      const done = (line?: LogLine) => {
        this.#waiting.delete(listen);
        stop.removeEventListener('abort', aborted);
        resolve(line);
      };
      const listen = (line: LogLine) => {
        if (test(line)) done(line);
      };
      const aborted = () => done();
      if (stop.aborted) return resolve(undefined);
      this.#waiting.add(listen);
      stop.addEventListener('abort', aborted, { once: true });
    });
  }

  /** Nothing of it is left running. */
  async close(): Promise<void> {
    this.#over = true;
    await this.kill9();
    this.#resources.ended();
    closeSync(this.#log);
  }
}
