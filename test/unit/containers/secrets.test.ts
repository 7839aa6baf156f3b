/** The stack's secrets, made by its script as a person would, and the settings that hostspool makes of them. */
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSettings, requireFor } from '../../../src/config/load.ts';
import { composeText, DOCKER, readStack } from './stack.ts';

const stack = readStack();
const services = Object.entries(stack.services);
const noOpenssl = spawnSync('openssl', ['version']).status !== 0;
const folder = mkdtempSync(join(tmpdir(), 'stack-'));
const secrets = join(folder, 'secrets');
const read = (name: string) => readFileSync(join(secrets, name), 'utf8');

function makeSecrets(): void {
  const { status, stderr } = spawnSync('sh', [join(folder, 'make-secrets.sh')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`make-secrets.sh failed: ${stderr}`);
}

beforeAll(() => {
  cpSync(join(DOCKER, 'make-secrets.sh'), join(folder, 'make-secrets.sh'));
  if (!noOpenssl) makeSecrets();
  // Keys of RSA take their time on a machine that is busy.
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(noOpenssl)('make-secrets.sh (skipped where there is no openssl)', () => {
  it('makes each secret that compose.yaml declares, which some service takes, and no other', () => {
    const declared = Object.entries(stack.secrets);
    for (const [name, { file }] of declared) expect(file).toBe(`./secrets/${name}`);
    const names = declared.map(([name]) => name).sort();
    expect(readdirSync(secrets).sort()).toEqual(names);
    expect([...new Set(services.flatMap(([, service]) => service.secrets ?? []))].sort()).toEqual(names);
  });

  it('keeps them from others, and makes none twice', () => {
    const isRoot = process.getuid?.() === 0;
    expect(statSync(secrets).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(secrets)) {
      expect(statSync(join(secrets, name)).mode & 0o777).toBe(isRoot ? 0o440 : 0o444);
    }
    const passwords = ['sqlserver_sa', 'sqlserver_writer', 'sqlserver_reader', 'grafana_admin', 'http_token'];
    expect(new Set(passwords.map(read)).size).toBe(passwords.length);
    for (const name of passwords) expect(read(name)).toMatch(/^Hs1-[0-9a-f]{48}$/);
  });

  it('keeps what is there when it is run again, and makes what is missing', () => {
    const before = { ca: read('ca.pem'), sa: read('sqlserver_sa'), token: read('http_token') };
    rmSync(join(secrets, 'http_token'));
    makeSecrets();
    expect({ ca: read('ca.pem'), sa: read('sqlserver_sa') }).toEqual({ ca: before.ca, sa: before.sa });
    expect(read('http_token')).not.toBe(before.token);
  });

  it.each([
    ['sqlserver.pem', ['sqlserver', 'localhost']],
    ['http.pem', ['writer', 'agent', 'localhost']],
  ])('signs %s for the names under which it is asked', (name, hosts) => {
    const certificate = new X509Certificate(read(name));
    const authority = new X509Certificate(read('ca.pem'));
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(hosts.filter((host) => certificate.checkHost(host) === undefined)).toEqual([]);
    expect(certificate.checkHost('kafka')).toBeUndefined();
  });
});

describe.skipIf(noOpenssl)('what compose.yaml gives to hostspool', () => {
  const ours = services.filter(([, { image }]) => image.includes('HOSTSPOOL_IMAGE'));

  it('is the migration, the writer and the agent', () => {
    expect(ours.map(([name]) => name)).toEqual(['migrate', 'writer', 'agent']);
  });

  it.each(ours)('is settings that it starts with, without a warning: %s', (name, { environment = {} }) => {
    const isAnotherUser = process.getuid?.() !== 0;
    const env = Object.fromEntries(
      Object.entries(environment).map(([key, value]) => {
        const text = String(value).replace('/run/secrets', secrets);
        return [key, text.startsWith('${AGENT_HOSTNAME') ? 'web-1' : text];
      }),
    );
    const { settings, warnings } = loadSettings({ flags: {}, env });
    expect(() => (name === 'migrate' ? undefined : requireFor(settings.mode, settings))).not.toThrow();
    if (!isAnotherUser) expect(warnings).toEqual([]);
    if (name !== 'agent') expect(settings.sqlserver.encrypt).toBe('true');
    expect(settings.sqlserver.trust_server_certificate).toBe(false);
  });
});

describe('a secret', () => {
  it('is never in the environment of a container, only the file that has it', () => {
    const secretive = services.flatMap(([name, { environment = {} }]) =>
      Object.entries(environment).flatMap(([key, value]) =>
        /PASSWORD|TOKEN|SECRET/.test(key) ? [{ name, key, value: String(value) }] : [],
      ),
    );
    expect(secretive.length).toBeGreaterThan(3);
    expect(secretive.filter(({ key, value }) => !(key.endsWith('_FILE') && value.startsWith('/run/secrets/')))).toEqual(
      [],
    );
    expect(composeText).not.toMatch(/PASSWORD=[^"$]/);
  });
});
