/**
 * A wall clock that can be stepped under a running process: libfaketime (Debian: libfaketime), told by a file how far off
 * it is. The monotonic clock stays true, as it does when a person or NTP sets the time.
 */
import { existsSync, renameSync, writeFileSync } from 'node:fs';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

export class FalseClock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
    this.step(0);
  }

  /** Undefined where the library is not installed. */
  static at(file: string): FalseClock | undefined {
    return existsSync(LIBRARY) ? new FalseClock(file) : undefined;
  }

  /** Of the process that lives by it. */
  get env(): NodeJS.ProcessEnv {
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** From now on, or a second later, the clock is this far ahead of the true time. */
  step(seconds: number): void {
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
