/**
 * Starts the double as a process of its own and talks to its control port. It ends with whoever started it, however
 * that one ends, by the channel between them; a Ctrl-C at the terminal does not reach it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Fault } from './faults.ts';
import type { PlainRow, Totals } from './readback.ts';
import type { TableName } from './schema.ts';

export interface TdsProcessOptions {
  /** Where its databases are kept, so that they outlive it. */
  readonly directory: string;
  /** Further arguments of main.ts. */
  readonly args?: readonly string[];
}

export class TdsProcess implements AsyncDisposable {
  readonly #options: TdsProcessOptions;
  #child: ChildProcess | undefined;
  #port = 0;
  #control = 0;

  private constructor(options: TdsProcessOptions) {
    this.#options = options;
  }

  static async start(options: TdsProcessOptions): Promise<TdsProcess> {
    const server = new TdsProcess(options);
    await server.restart();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, again on the same ports and databases after `kill`. */
  async restart(): Promise<void> {
    const { directory, args = [] } = this.#options;
    const given = ['--port', String(this.#port), '--control', String(this.#control), '--directory', directory, ...args];
    const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...given], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      detached: true,
    });
    this.#child = child;
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const line = await Promise.race([
      once(lines, 'line').then(([first]) => String(first)),
      once(child, 'exit').then(([code]) =>
        Promise.reject(new Error(`the double ended with ${code} before it listened`)),
      ),
    ]);
    const { port, control } = JSON.parse(line) as { port: number; control: number };
    this.#port = port;
    this.#control = control;
  }

  /** kill -9: what is not committed is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  fault(fault: Fault): Promise<unknown> {
    return this.tell('fault', fault);
  }

  table(name: TableName): Promise<PlainRow[]> {
    return this.tell('table', name) as Promise<PlainRow[]>;
  }

  totals(): Promise<Totals & { readonly duplicates: number }> {
    return this.tell('totals') as Promise<Totals & { readonly duplicates: number }>;
  }

  /** See control.ts for the verbs. */
  async tell(verb: string, argument?: unknown): Promise<unknown> {
    const body = argument === undefined ? '' : JSON.stringify(argument);
    const response = await fetch(`http://127.0.0.1:${this.#control}/${verb}`, { method: 'POST', body });
    const answer = (await response.json()) as unknown;
    if (!response.ok) throw new Error(`${verb}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}
