/** Two packages of the built executable, an older and a newer one. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { executable } from '../support/executable.ts';

const root = join(import.meta.dirname, '../..');
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export interface Packages {
  readonly older: string;
  readonly newer: string;
}

export function makePackages(directory: string): Packages {
  const make = (version: string) => {
    const options = ['--quick', '--program', executable, '--version', version, '--arch', process.arch];
    const script = join(root, 'scripts/package.ts');
    execFileSync(process.execPath, [script, ...options, '--output', directory], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return join(directory, `hostspool_${version}_${ARCHITECTURES[process.arch]}.deb`);
  };
  return { older: make('0.0.1-1'), newer: make('0.0.2-1') };
}
