/** The executable in the image's root, as a container would run it: what an engine is not needed for. */
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { Scratch, until } from '../support/executable.ts';
import { Container, prepareImageRoot } from '../support/image-root.ts';

const reason = prepareImageRoot();
const Database = createRequire(import.meta.url)('better-sqlite3') as typeof import('better-sqlite3');

const AT_HOST = { HOSTSPOOL_COLLECT_HOST_ROOT: '/host' };
const hostname = existsSync('/etc/hostname') ? readFileSync('/etc/hostname', 'utf8').trim() : '';

interface Sample {
  readonly hostname: string;
  readonly memory_total_mb: number;
  readonly disk_total_gb: number;
  readonly process_count: number;
  readonly network_bytes_recv: number;
  readonly interfaces: readonly { readonly name: string }[];
}

function interfacesOf(table: string): string[] {
  const names = readFileSync(table, 'utf8').split('\n').slice(2);
  return names.flatMap((line) => (line.includes(':') ? [line.slice(0, line.lastIndexOf(':')).trim()] : []));
}

describe.skipIf(reason !== undefined)(`in a container${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  it('starts as a user without rights, on a read-only root, with noexec on /tmp', () => {
    using state = new Scratch();
    const { code, stdout, stderr } = Container.run(state.path, ['--version']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^hostspool .* SQLite /);
  });

  it('tells with exit code 2 what it was not given', () => {
    using state = new Scratch();
    const env = { HOSTSPOOL_MODE: 'local', HOSTSPOOL_COLLECT_HOST_ROOT: '/var/lib/hostspool' };
    const unnamed = Container.run(state.path, ['config', '--check'], env);
    expect(unnamed.code).toBe(2);
    expect(unnamed.stderr).toContain('/var/lib/hostspool/etc/hostname names none');
    const named = Container.run(state.path, [], { ...env, HOSTSPOOL_COLLECT_HOSTNAME: 'web-1' });
    expect(named.code).toBe(2);
    expect(named.stderr).toContain('[COLLECT_HOST_ROOT]');
  });

  it('reports the host and not itself, is healthy, and stops in order', async () => {
    using state = new Scratch();
    const name = hostname === '' ? { HOSTSPOOL_COLLECT_HOSTNAME: 'web-1' } : {};
    const env = {
      ...AT_HOST,
      ...name,
      HOSTSPOOL_MODE: 'local',
      HOSTSPOOL_COLLECT_INTERVAL: '250ms',
      HOSTSPOOL_LOG_FORMAT: 'json',
      HOSTSPOOL_LOG_LEVEL: 'debug',
      HOSTSPOOL_SPOOL_MIN_FREE: '0',
      HOSTSPOOL_HTTP_TOKEN: 'hunter2-hunter2',
    };
    expect(Container.run(state.path, ['config', '--check'], env)).toEqual({ code: 0, stdout: '', stderr: '' });
    await using container = Container.start(state.path, env);
    const taken = () => container.lines.filter(({ event }) => event === 'sample_taken').length;
    await until(() => taken() >= 4 || container.stderr !== '', 'samples were taken');
    expect(container.stderr).toBe('');
    const expectedName = hostname === '' ? 'web-1' : hostname;
    expect(container.lines.find(({ event }) => event === 'local_started')).toMatchObject({ hostname: expectedName });

    const health = container.exec(['health']);
    expect(health).toMatchObject({ code: 0, stderr: '' });
    expect(health.stdout).toBe('OK  http://127.0.0.1:9464/health\n');
    expect(container.exec(['health', '--ready', '--json'])).toMatchObject({ code: 0 });
    expect(container.exec(['health'], { HOSTSPOOL_HTTP_TOKEN: 'another' }).code).toBe(1);
    expect(container.exec(['status', '--json']).code).toBe(0);

    // Without the host's root it sees its own namespaces: so they are in force.
    const read = (root: string) =>
      JSON.parse(
        container.exec(['sample', '--json', '--details', `--host-root=${root}`, '--interval=100ms']).stdout,
      ) as Sample;
    const inside = read('/');
    expect(inside).toMatchObject({ hostname: '3f2a9c0d71be', interfaces: [] });
    expect(inside.process_count).toBeLessThan(5);
    const host = read('/host');
    if (hostname !== '') expect(host.hostname).toBe(hostname);
    const { blocks, bsize } = statfsSync('/');
    expect(host.disk_total_gb).toBeCloseTo((blocks * bsize) / 1024 ** 3, 1);
    expect(host.memory_total_mb).toBe(inside.memory_total_mb);
    expect(host.process_count).toBeGreaterThan(inside.process_count);
    const seen = interfacesOf('/proc/1/net/dev').filter((each) => each !== 'lo');
    expect(host.interfaces.map((each) => each.name)).toEqual(seen.slice(0, 64));

    expect(await container.stop()).toBe(0);
    expect(statSync(state.file('spool.db')).uid).toBe(65_532);
    const database = new Database(state.file('metrics.db'), { readonly: true });
    const [sums] = database
      .prepare(
        'SELECT count(*) AS n, count(DISTINCT event_id) AS distinct_n, min(hostname) AS hostname FROM server_metrics',
      )
      .all() as [{ n: number; distinct_n: number; hostname: string }];
    const [missing] = database.prepare('SELECT sum(missing) AS n FROM vw_sample_accounting').all() as [{ n: number }];
    database.close();
    expect(sums).toEqual({ n: taken(), distinct_n: taken(), hostname: expectedName });
    expect(missing.n).toBe(0);
  });
});
