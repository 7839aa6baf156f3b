/** What the package is made of, as far as it is made from the code. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commandNodes, runnable } from '../../packaging/command-tree.ts';
import { bashCompletion, zshCompletion } from '../../packaging/completions.ts';
import { buildDeb, installedSettings } from '../../packaging/deb.ts';
import { commandPage, settingsPage } from '../../packaging/manual.ts';
import { commands } from '../../src/cli/commands.ts';
import { settingEntries } from '../../src/config/catalog.ts';
import { loadSettings } from '../../src/config/load.ts';

const root = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'packaging-'));
const nodes = commandNodes(commands);
const edition = { version: '1.2.3', date: '2026-01-31' };
const here = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

afterAll(() => rmSync(scratch, { recursive: true }));

describe('the commands, read off their declarations', () => {
  it('are those of the help, inner ones too', () => {
    const names = runnable(nodes).map(({ words }) => words.join(' '));
    expect(names).toEqual(expect.arrayContaining(['', 'status', 'config', 'drain', 'offsets reset', 'hosts forget']));
  });

  it('have their own options, and say which take settings', () => {
    const [, status] = runnable(nodes);
    expect(status?.options).toContainEqual(expect.objectContaining({ name: 'warn-age', takesValue: true }));
    expect(status?.options.some(({ name }) => name.includes('.'))).toBe(false);
    expect(status?.takesSettings).toBe(true);
  });
});

describe('the manual pages', () => {
  const unescaped = (page: string) => page.replaceAll('\\-', '-');

  it('have every command with every option', () => {
    const page = unescaped(commandPage(nodes, edition));
    for (const { words, options } of runnable(nodes)) {
      expect(page).toContain(['hostspool', ...words].join(' '));
      for (const { name } of options) expect(page).toContain(`--${name}`);
    }
  });

  it('have every setting with its variable', () => {
    const page = unescaped(settingsPage(edition));
    for (const { name, variable } of settingEntries) {
      expect(page).toContain(`\\fB${name}\\fR`);
      expect(page).toContain(variable);
    }
  });

  it.skipIf(!here('groff'))('are roff without a warning', () => {
    for (const page of [commandPage(nodes, edition), settingsPage(edition)]) {
      const { status, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z', '-K', 'utf8'], {
        input: page,
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
  });
});

describe('the completions', () => {
  const bash = join(scratch, 'hostspool.bash');
  writeFileSync(bash, bashCompletion(nodes));

  /** What bash offers for a line broken into words as bash does it; the last is being typed. */
  function offered(...words: string[]): string[] {
    const line = words.map((word) => `'${word}'`).join(' ');
    const script = `compopt() { :; }; source ${bash}; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _hostspool; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.split('\n').filter((word) => word !== '');
  }

  it.skipIf(!here('bash'))('offer commands, inner commands, options and values in bash', () => {
    expect(offered('hostspool', 'st')).toEqual(['status']);
    expect(offered('hostspool', 'offsets', '')).toEqual(['show', 'reset']);
    expect(offered('hostspool', 'offsets', 'reset', '--to-l')).toEqual(['--to-latest']);
    expect(offered('hostspool', '--spool.max_b')).toEqual(['--spool.max_bytes=']);
    expect(offered('hostspool', '--mode', '=', 'w')).toEqual(['writer']);
    expect(offered('hostspool', '--kafka.sasl.pass')).toEqual([]);
  });

  it.skipIf(!here('zsh'))('are well-formed for zsh', () => {
    const { status, stderr } = spawnSync('zsh', ['-n'], { input: zshCompletion(nodes), encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('the installed settings file', () => {
  it('is the example with the path of the service’s spool, and loads', () => {
    const file = join(scratch, 'hostspool.yaml');
    writeFileSync(file, installedSettings());
    const { settings, sources } = loadSettings({ flags: { config: file }, env: {} });
    expect(settings.spool.path).toBe('/var/lib/hostspool/spool.db');
    expect([...sources.values()].filter(({ kind }) => kind !== 'default')).toHaveLength(1);
  });
});

describe.skipIf(!here('dpkg-deb'))('the package', () => {
  it('has the alert rules and the dashboards, as they lie in packaging/', () => {
    const output = join(scratch, 'hostspool.deb');
    buildDeb({
      root,
      executable: '/bin/true',
      architecture: 'amd64',
      edition: { ...edition, debianVersion: '1.2.3-1', epoch: 1_769_817_600 },
      maintainer: 'nobody <nobody@example.invalid>',
      commands: nodes,
      compression: ['-Znone'],
      work: join(scratch, 'work'),
      output,
    });
    const unpacked = join(scratch, 'unpacked');
    expect(spawnSync('dpkg-deb', ['--extract', output, unpacked]).status).toBe(0);
    for (const path of [
      'prometheus/hostspool.rules.yml',
      'grafana/dashboards/pipeline.json',
      'grafana/dashboards/fleet.json',
    ]) {
      const installed = readFileSync(join(unpacked, 'usr/share/hostspool', path));
      expect(installed.equals(readFileSync(join(root, 'packaging', path))), path).toBe(true);
    }
  });
});

describe('the units', () => {
  const units = readdirSync(join(root, 'systemd')).map((name) => [
    name,
    readFileSync(join(root, 'systemd', name), 'utf8'),
  ]);

  it('pass every secret as a credential that the settings know', () => {
    const secrets = settingEntries.filter(({ secret }) => secret).map(({ name }) => name);
    const passed = units.flatMap(([, text = '']) =>
      [...text.matchAll(/^LoadCredential=([^:\n]+):/gm)].map(([, name]) => name),
    );
    expect(new Set(passed)).toEqual(new Set(secrets));
  });

  it.skipIf(!here('systemd-analyze'))('are exposed by 2.0 at most', () => {
    for (const [name = ''] of units) {
      const args = ['security', '--offline=true', '--threshold=20', join(root, 'systemd', name)];
      expect({ name, code: spawnSync('systemd-analyze', args).status }).toEqual({ name, code: 0 });
    }
  });
});
