/**
 * Time as the product sees it: a wall clock that a person or NTP may set, a monotonic clock that nobody can, and
 * waiting. Passed in by the constructor, so that a test owns time.
 */
import { readFileSync } from 'node:fs';

export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number;
  /** Monotonic clock, ms since the machine booted; comparable between processes of one boot. */
  monotonic(): number;
  /** Identifies this boot, so that monotonic readings of another are never compared with ours. */
  bootId(): string;
  /** Calls `action` once, after `ms`; what it answers takes that back. */
  after(ms: number, action: () => void): () => void;
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
    // Not hrtime.bigint: it is asked some twenty times a sample, and makes a number on the heap each time.
    const time = process.hrtime();
    return time[0] * 1000 + time[1] / 1e6;
  }

  bootId(): string {
    this.#bootId ??= readBootId();
    return this.#bootId;
  }

  after(ms: number, action: () => void): () => void {
    const timer = setTimeout(action, Math.min(Math.max(0, ms), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  }

  // Not timers/promises: it makes an error with a stack of every sleep that ends early.
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        takeBack();
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const takeBack = this.after(ms, wake);
      signal?.addEventListener('abort', wake);
    });
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
