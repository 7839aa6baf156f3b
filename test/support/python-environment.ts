/** A virtual environment of Python with packages from PyPI, made at the first use and used without a network after. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const PIP_TIMEOUT_MS = 100_000;

export class PythonEnvironment {
  readonly #directory: string;
  readonly #packages: readonly string[];
  readonly #isUsable: (environment: PythonEnvironment) => boolean;

  /** It lies in build/`name`; `isUsable`: whether what is there will do. */
  constructor(name: string, packages: readonly string[], isUsable: (environment: PythonEnvironment) => boolean) {
    this.#directory = join(import.meta.dirname, '../../build', name);
    this.#packages = packages;
    this.#isUsable = isUsable;
  }

  get python(): string {
    return this.bin('python');
  }

  /** A program of the environment. */
  bin(name: string): string {
    return join(this.#directory, 'bin', name);
  }

  /** Whether the program, all of it, runs without an error. */
  runs(program: string): boolean {
    return spawnSync(this.python, ['-c', program]).status === 0;
  }

  /** Makes it where it is missing; answers why it can't be had, or undefined. */
  prepare(): string | undefined {
    const isUsable = () => this.#isUsable(this);
    if (existsSync(this.python) && isUsable()) return undefined;
    rmSync(this.#directory, { recursive: true, force: true });
    if (spawnSync('python3', ['-m', 'venv', this.#directory]).status !== 0) return 'no python3 with venv here';
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...this.#packages];
    const pip = spawnSync(this.python, install, { timeout: PIP_TIMEOUT_MS, encoding: 'utf8' });
    if (isUsable()) return undefined;
    const reason = pip.stderr.trim().split('\n').at(-1) ?? 'no reason given';
    return `pip could not install ${this.#packages.join(', ')}: ${reason}`;
  }
}
