import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { requireFor } from '../../../src/config/load.ts';
import { mkfifoSync } from './mkfifo.ts';
import { load, scratchDirectory } from './scratch.ts';

function hostCalled(text: string | undefined): string {
  const root = scratchDirectory();
  mkdirSync(join(root, 'etc'));
  if (text !== undefined) writeFileSync(join(root, 'etc/hostname'), text);
  return root;
}

function loadAt(root: string, flags: Record<string, unknown> = {}) {
  return load({ flags: { ...flags, mode: 'local' }, env: { HOSTSPOOL_COLLECT_HOST_ROOT: root } });
}

describe('the name of a host that is seen under another root', () => {
  it('is the one in its etc/hostname, not this process’s', () => {
    const root = hostCalled('# set by the installer\n\n  web-1.example.com \n');
    const { settings, sources } = loadAt(`${root}/`);
    expect(settings.collect).toMatchObject({ host_root: root, hostname: 'web-1.example.com' });
    expect(sources.get('collect.hostname')).toEqual({ kind: 'default', name: `${root}/etc/hostname` });
    expect(() => requireFor('local', settings)).not.toThrow();
  });

  it('is none where etc/hostname is a pipe that nobody writes to', () => {
    const root = hostCalled(undefined);
    mkfifoSync(join(root, 'etc/hostname'));
    expect(loadAt(root).settings.collect.hostname).toBe('');
  });

  it('gives way to collect.hostname', () => {
    expect(loadAt(hostCalled('web-1'), { 'collect.hostname': 'web-2' }).settings.collect.hostname).toBe('web-2');
  });

  it.each([
    [undefined, 'names none'],
    ['\n# nothing\n', 'names none'],
    ['web 1\n', 'says "web 1", which is no host name'],
  ])('is never guessed: %j stops the start', (text, reason) => {
    const root = hostCalled(text);
    const { settings } = loadAt(root);
    expect(() => requireFor('local', settings)).toThrow(`collect.hostname: ${root}/etc/hostname ${reason}`);
    expect(() => requireFor('local', loadAt(root, { 'collect.hostname': 'web-1' }).settings)).not.toThrow();
  });

  it('is the system’s for /', () => {
    expect(loadAt('/').settings.collect.hostname).toBe(hostname());
  });
});
