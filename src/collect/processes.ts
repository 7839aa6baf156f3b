/**
 * How many processes there are: the numeric entries of /proc, as psutil counts them (threads are not among them;
 * under `hidepid` only those this user may see).
 *
 * Listing /proc costs about a microsecond per process, more than all other collectors together on a busy host, so it
 * is done at most once in HOLD_MS. In between the last count stands: at the default interval every sample has its
 * own.
 */
import { readdirSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { errorCode, HostspoolError } from '../lib/errors.ts';
import type { Collector, Fields } from './collector.ts';

const HOLD_MS = 4_000;
const ZERO = 0x30;

export class ProcessesCollector implements Collector {
  readonly name = 'processes';
  readonly #proc: string;
  readonly #clock: Clock;
  #count = 0;
  #countedAt = Number.NEGATIVE_INFINITY;

  constructor(proc: string, clock: Clock) {
    this.#proc = proc;
    this.#clock = clock;
  }

  collect(): Fields {
    const now = this.#clock.monotonic();
    if (now - this.#countedAt >= HOLD_MS) {
      this.#count = this.#list().reduce((count, name) => (isProcess(name) ? count + 1 : count), 0);
      this.#countedAt = now;
    }
    return { process_count: this.#count };
  }

  #list(): string[] {
    try {
      return readdirSync(this.#proc);
    } catch (cause) {
      throw new HostspoolError('COLLECT_UNREADABLE', `${this.#proc} cannot be listed: ${errorCode(cause)}`, {
        retryable: true,
        cause,
      });
    }
  }

  close(): void {}
}

/** Nothing else in /proc begins with a digit. */
function isProcess(name: string): boolean {
  const first = name.charCodeAt(0) - ZERO;
  return first >= 0 && first <= 9;
}
