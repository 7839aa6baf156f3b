/** One .deb: its files in a tree, their modes and times, the control files, dpkg-deb. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { exampleFile } from '../src/config/example.ts';
import type { CommandNode } from './command-tree.ts';
import { bashCompletion, zshCompletion } from './completions.ts';
import { debianChangelog, type PackageEdition } from './edition.ts';
import { COPYRIGHT, thirdPartyNotices } from './licences.ts';
import { commandPage, settingsPage } from './manual.ts';

export interface DebOptions {
  readonly root: string;
  readonly executable: string;
  /** Debian's name of the architecture. */
  readonly architecture: string;
  readonly edition: PackageEdition;
  readonly maintainer: string;
  readonly commands: readonly CommandNode[];
  /** dpkg-deb's options for the compression. */
  readonly compression: readonly string[];
  /** Where the tree is put together. */
  readonly work: string;
  readonly output: string;
}

const CONFFILES = ['/etc/default/hostspool', '/etc/default/hostspool-writer', '/etc/hostspool/hostspool.yaml'];
const SCRIPTS = ['postinst', 'prerm', 'postrm'];
const DOCUMENTS = '/usr/share/doc/hostspool';
const SHARED = '/usr/share/hostspool';
/** Rules and dashboards, under the same paths as in packaging/. */
const MONITORING = [
  'prometheus/hostspool.rules.yml',
  'grafana/dashboards/pipeline.json',
  'grafana/dashboards/fleet.json',
];

export function buildDeb(options: DebOptions): void {
  const tree = join(options.work, 'tree');
  rmSync(tree, { recursive: true, force: true });
  const write = (path: string, content: string | Buffer, mode = 0o644) => {
    const file = join(tree, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    chmodSync(file, mode);
  };
  writeFiles(options, write);
  const program = join(tree, '/usr/bin/hostspool');
  mkdirSync(dirname(program), { recursive: true });
  copyFileSync(options.executable, program);
  chmodSync(program, 0o755);
  writeControl(options, tree, write);
  for (const path of directories(tree)) chmodSync(path, path === join(tree, 'etc/hostspool') ? 0o750 : 0o755);
  mkdirSync(dirname(options.output), { recursive: true });
  // Under its name only once it is whole.
  const unfinished = join(options.work, 'unfinished.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', ...options.compression, '--build', tree, unfinished], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(options.edition.epoch) },
  });
  renameSync(unfinished, options.output);
  rmSync(tree, { recursive: true });
}

type Write = (path: string, content: string | Buffer, mode?: number) => void;

function writeFiles({ root, edition, maintainer, commands }: DebOptions, write: Write): void {
  const source = (path: string) => readFileSync(join(root, path));
  for (const unit of ['hostspool.service', 'hostspool-writer.service']) {
    write(`/lib/systemd/system/${unit}`, source(`systemd/${unit}`));
  }
  write('/etc/hostspool/hostspool.yaml', installedSettings(), 0o640);
  write('/etc/default/hostspool', source('packaging/debian/hostspool.default'));
  write('/etc/default/hostspool-writer', source('packaging/debian/hostspool-writer.default'));
  write('/usr/share/man/man1/hostspool.1.gz', zipped(commandPage(commands, edition)));
  write('/usr/share/man/man5/hostspool.yaml.5.gz', zipped(settingsPage(edition)));
  write('/usr/share/bash-completion/completions/hostspool', bashCompletion(commands));
  write('/usr/share/zsh/vendor-completions/_hostspool', zshCompletion(commands));
  write('/usr/share/lintian/overrides/hostspool', source('packaging/debian/lintian-overrides'));
  write(`${DOCUMENTS}/copyright`, COPYRIGHT);
  write(`${DOCUMENTS}/third-party-notices.gz`, zipped(thirdPartyNotices(root)));
  write(`${DOCUMENTS}/changelog.gz`, zipped(source('CHANGELOG.md')));
  write(`${DOCUMENTS}/changelog.Debian.gz`, zipped(debianChangelog(edition, maintainer)));
  write(`${DOCUMENTS}/README.md.gz`, zipped(source('README.md')));
  write(`${DOCUMENTS}/SECURITY.md.gz`, zipped(source('SECURITY.md')));
  // Plain, so that their links to one another lead somewhere.
  for (const name of readdirSync(join(root, 'docs'))) write(`${DOCUMENTS}/docs/${name}`, source(`docs/${name}`));
  for (const path of MONITORING) write(`${SHARED}/${path}`, source(`packaging/${path}`));
}

/** The commented example; the spool's path is set, so that `hostspool --status` finds the service's from any shell. */
export function installedSettings(): string {
  const commented = '#  path: /var/lib/hostspool/spool.db';
  const example = exampleFile();
  if (!example.includes(commented)) throw new Error('the example file has no spool.path to set');
  return example.replace(commented, commented.replace('#', ''));
}

/** Without a name or a time in its header. */
function zipped(text: string | Buffer): Buffer {
  return gzipSync(text, { level: 9 });
}

function writeControl(options: DebOptions, tree: string, write: Write): void {
  const { root, architecture, edition, maintainer } = options;
  const installed = files(tree);
  const size = installed.reduce((sum, file) => sum + Math.ceil(statSync(file).size / 1024), 0);
  const sums = installed.map((file) => `${md5(file)}  ${relative(tree, file)}\n`);
  const values: Readonly<Record<string, string>> = {
    VERSION: edition.debianVersion,
    ARCHITECTURE: architecture,
    MAINTAINER: maintainer,
    SIZE: String(size),
  };
  const control = readFileSync(join(root, 'packaging/debian/control'), 'utf8');
  write(
    '/DEBIAN/control',
    control.replaceAll(/@([A-Z]+)@/g, (_, name: string) => values[name] ?? ''),
  );
  write('/DEBIAN/conffiles', `${CONFFILES.join('\n')}\n`);
  write('/DEBIAN/md5sums', sums.join(''));
  for (const script of SCRIPTS) write(`/DEBIAN/${script}`, readFileSync(join(root, 'packaging/debian', script)), 0o755);
}

/** dpkg's own format of sums. */
function md5(file: string): string {
  return createHash('md5').update(readFileSync(file)).digest('hex');
}

function entries(tree: string): string[] {
  return readdirSync(tree, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => join(tree, path));
}

function files(tree: string): string[] {
  return entries(tree).filter((path) => statSync(path).isFile());
}

function directories(tree: string): string[] {
  return [tree, ...entries(tree).filter((path) => statSync(path).isDirectory())];
}
