/** kafka-python with every codec, from PyPI, in build/kafka-python; made when it is missing. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const environment = join(import.meta.dirname, '../../build/kafka-python');
export const python = join(environment, 'bin/python');
const PACKAGES = ['kafka-python==3.0.12', 'lz4==4.4.5', 'python-snappy==0.7.3', 'zstandard==0.25.0'];

/** Why kafka-python can't be had here, or undefined. */
export function preparePython(): string | undefined {
  const usable = () => spawnSync(python, ['-c', 'import kafka, lz4.frame, snappy, zstandard']).status === 0;
  if (existsSync(python) && usable()) return undefined;
  rmSync(environment, { recursive: true, force: true });
  if (spawnSync('python3', ['-m', 'venv', environment]).status !== 0) return 'no python3 with venv here';
  spawnSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES], {
    timeout: 100_000,
  });
  return usable() ? undefined : 'kafka-python could not be installed from PyPI';
}
