/** The packages of this commit: two of them are the same bytes, and that of the other architecture runs, under an emulator. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
/** The C libraries of arm64, as Debian's cross compiler brings them. */
const SYSROOT = '/usr/aarch64-linux-gnu';
const EMULATOR = 'qemu-aarch64-static';
const LIMIT_MS = 180_000;

function isThere(tool: string): boolean {
  return spawnSync('which', [tool]).status === 0;
}

/** What of the tools is missing, or undefined. */
function missing(...tools: readonly string[]): string | undefined {
  const lacking = tools.filter((tool) => !(tool.startsWith('/') ? existsSync(tool) : isThere(tool)));
  return lacking.length === 0 ? undefined : `no ${lacking.join(', ')} here`;
}

const noPackage = process.arch === 'x64' ? missing('dpkg-deb', 'gcc', 'strip') : 'it takes amd64';
const noEmulator =
  noPackage ?? missing('aarch64-linux-gnu-gcc', 'aarch64-linux-gnu-strip', EMULATOR, `${SYSROOT}/lib/libstdc++.so.6`);
const because = (reason: string | undefined) => (reason === undefined ? '' : ` (skipped: ${reason})`);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hostspool-packages-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function makePackage(arch: 'x64' | 'arm64', output: string): string {
  const script = join(root, 'scripts/package.ts');
  execFileSync(process.execPath, [script, '--quick', '--arch', arch, '--output', output], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [deb = ''] = readdirSync(output).filter((name) => name.endsWith('.deb'));
  return join(output, deb);
}

describe('the packages of one commit', () => {
  it.skipIf(noPackage !== undefined)(
    `are the same bytes, built twice${because(noPackage)}`,
    () => {
      const sums = ['one', 'other'].map((name) => {
        const output = join(directory, name);
        makePackage('x64', output);
        return readdirSync(output)
          .sort()
          .map((file) => [
            file,
            createHash('sha256')
              .update(readFileSync(join(output, file)))
              .digest('hex'),
          ]);
      });
      expect(sums[0]).toHaveLength(3);
      expect(sums[1]).toEqual(sums[0]);
    },
    LIMIT_MS,
  );

  it.skipIf(noEmulator !== undefined)(
    `run on arm64: native modules, sampling, the database${because(noEmulator)}`,
    async () => {
      const tree = join(directory, 'arm64-tree');
      execFileSync('dpkg-deb', ['-x', makePackage('arm64', join(directory, 'arm64')), tree]);
      const program = ['-L', SYSROOT, join(tree, 'usr/bin/hostspool')];
      const env = { PATH: process.env.PATH, HOME: directory };
      const { stdout } = spawnSync(EMULATOR, [...program, '--version'], { env, encoding: 'utf8' });
      expect(stdout).toMatch(/^hostspool \S+ \(commit \S+, Node 24\.\d+\.\d+, SQLite 3\.\d+\.\d+\)\n$/);

      const files = [`--spool.path=${join(directory, 'spool.db')}`, `--sqlite.path=${join(directory, 'metrics.db')}`];
      const settings = ['--config=/dev/null', '--http.address=', '--spool.min_free=0', '--collect.interval=1s'];
      const agent = spawn(EMULATOR, [...program, '--mode=local', ...settings, ...files, '--log.level=debug'], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(agent, 'exit');
      const events: string[] = [];
      for await (const line of createInterface({ input: agent.stdout })) {
        const { event } = JSON.parse(line) as { event: string };
        events.push(event);
        if (event === 'sample_taken') agent.kill('SIGTERM');
      }
      expect(await ended).toEqual([0, null]);
      expect(events).toContain('sample_taken');
      expect(events.at(-1)).toBe('local_stopped');
    },
    LIMIT_MS,
  );
});
