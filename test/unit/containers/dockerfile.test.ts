import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DOCKER } from './stack.ts';

const noPromtool = spawnSync('promtool', ['--version']).status !== 0;
const lines = readFileSync(join(DOCKER, 'Dockerfile'), 'utf8').split('\n');
const instructions = (name: string) => lines.filter((line) => line.startsWith(`${name} `));

describe('the Dockerfile', () => {
  it('names every base by a tag, and none by latest', () => {
    const bases = instructions('FROM').map((line) => line.split(' ')[1] ?? '');
    expect(bases.length).toBe(2);
    expect(bases.filter((base) => !/:[^:]+$/.test(base) || base.endsWith(':latest'))).toEqual([]);
  });

  it('ends as a user without rights, whose directory is the volume, and checks itself by the executable', () => {
    expect(instructions('USER')).toEqual(['USER 65532:65532']);
    expect(instructions('VOLUME')).toEqual(['VOLUME ["/var/lib/hostspool"]']);
    expect(lines.join('\n')).toContain('--chown=65532:65532 --chmod=0700 /state/ /var/lib/hostspool/');
    expect(instructions('ENV')).toEqual(['ENV STATE_DIRECTORY=/var/lib/hostspool']);
    expect(instructions('ENTRYPOINT')).toEqual(['ENTRYPOINT ["/usr/bin/hostspool"]']);
    expect(instructions('HEALTHCHECK')[0]).toContain('CMD ["/usr/bin/hostspool", "health"]');
  });
});

describe('the settings of the other images', () => {
  const read = (path: string) => readFileSync(join(DOCKER, path), 'utf8');

  it.skipIf(noPromtool)('is a configuration that Prometheus takes (skipped where there is no promtool)', () => {
    const file = join(DOCKER, 'prometheus/prometheus.yml');
    const { status, stderr } = spawnSync('promtool', ['check', 'config', '--syntax-only', file], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('scrapes both kinds of process over TLS, with the token', () => {
    const { scrape_configs: jobs } = parse(read('prometheus/prometheus.yml')) as {
      scrape_configs: Record<string, unknown>[];
    };
    for (const name of ['hostspool-writer', 'hostspool']) {
      expect(jobs.find(({ job_name }) => job_name === name)).toMatchObject({
        scheme: 'https',
        authorization: { credentials_file: '/run/secrets/http_token' },
        tls_config: { ca_file: '/run/secrets/ca.pem' },
      });
    }
  });

  it('gives Grafana its two data sources, and a login that may only read', () => {
    const { datasources } = parse(read('grafana/datasources/hostspool.yaml')) as {
      datasources: Record<string, unknown>[];
    };
    expect(datasources.map(({ uid, type }) => [uid, type])).toEqual([
      ['prometheus', 'prometheus'],
      ['sqlserver', 'mssql'],
    ]);
    expect(datasources[1]).toMatchObject({
      user: 'grafana',
      secureJsonData: { password: '$__file{/run/secrets/sqlserver_reader}' },
      jsonData: { encrypt: 'true', tlsSkipVerify: false },
    });
    expect(read('sqlserver/logins.sql')).toContain('ALTER ROLE hostspool_reader ADD MEMBER grafana;');
  });
});
