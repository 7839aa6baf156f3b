/**
 * The single executable for an architecture that this machine can't run: the steps that pkg takes, but that the blob is
 * made by the Node that runs here, of the same version. pkg itself wants to start the Node it is given. What is in the
 * blob is data without an architecture, as long as there is no code cache.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

type Inject = (file: string, resource: string, data: Buffer, options: Record<string, unknown>) => Promise<void>;

/** Where Node looks whether there is something in it. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

export interface ForeignExecutable {
  readonly script: string;
  readonly node: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly work: string;
  readonly output: string;
}

export async function buildForeign({ script, node, config, work, output }: ForeignExecutable): Promise<void> {
  const blob = join(work, 'foreign.blob');
  const configFile = join(work, 'foreign.json');
  // The path of the script becomes part of the file.
  writeFileSync(configFile, JSON.stringify({ ...config, main: basename(script), output: blob }));
  const prepare = ['--experimental-sea-config', configFile];
  execFileSync(process.execPath, prepare, { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] });
  copyFileSync(node, output);
  const { inject } = createRequire(import.meta.url)('postject') as { inject: Inject };
  await inject(output, 'NODE_SEA_BLOB', readFileSync(blob), { sentinelFuse: FUSE, overwrite: true });
}
