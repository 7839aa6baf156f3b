/**
 * Where the spools and tables of a section lie: a new directory on the disk that HOSTSPOOL_BENCH_DIRECTORY names. It is
 * removed at the end, and when the bench is stopped or killed: what lies in it may be gigabytes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Guard } from '../../test/support/guard.ts';

export class BenchDirectory implements Disposable {
  readonly path = mkdtempSync(join(resolve(process.env.HOSTSPOOL_BENCH_DIRECTORY ?? tmpdir()), 'hostspool-bench-'));
  readonly #guard = Guard.removing(this.path);

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
    this.#guard[Symbol.dispose]();
  }
}
