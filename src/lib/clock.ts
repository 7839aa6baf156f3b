/**
 * Time as the product sees it: a wall clock that a person or NTP may set, a monotonic clock that nobody can, and
 * waiting. Passed in by the constructor, so that a test owns time.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number;
  /** Monotonic clock, ms since the machine booted; comparable between processes of one boot. */
  monotonic(): number;
  /** Identifies this boot, so that monotonic readings of another are never compared with ours. */
  bootId(): string;
  /** Resolves after `ms`; returns early, without throwing, when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay a Node timer takes; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class SystemClock implements Clock {
  #bootId: string | undefined;

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return Number(process.hrtime.bigint() / 1000n) / 1000;
  }

  bootId(): string {
    this.#bootId ??= readBootId();
    return this.#bootId;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    try {
      await delay(Math.min(Math.max(0, ms), LONGEST_TIMER_MS), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Without it no two processes share a boot: monotonic readings of another process are simply not trusted.
    return `unknown-${process.pid}-${process.hrtime.bigint()}`;
  }
}
