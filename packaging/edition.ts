/**
 * What a package calls itself. A commit that is tagged v1.2.3 makes 1.2.3-1; any other makes a version before it,
 * 1.2.3~20260131120000.abcdef123456-1, so that a release is an upgrade from every build on the way to it, and a later
 * build from an earlier.
 *
 * Every time in a package is that of its commit (SOURCE_DATE_EPOCH overrules): two builds of a commit are the same.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface PackageEdition {
  /** The program's version. */
  readonly version: string;
  readonly debianVersion: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
  /** YYYY-MM-DD. */
  readonly date: string;
}

export function editionOf(root: string, given?: string): PackageEdition {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? git('log', '-1', '--format=%ct'));
  const iso = new Date(epoch * 1000).toISOString();
  const isTagged = git('tag', '--points-at', 'HEAD').split('\n').includes(`v${version}`);
  const stamp = iso.replaceAll(/\D/g, '').slice(0, 14);
  const upstream = isTagged ? version : `${version}~${stamp}.${git('rev-parse', '--short=12', 'HEAD')}`;
  return { version, debianVersion: given ?? `${upstream}-1`, epoch, date: iso.slice(0, 10) };
}

/** changelog.Debian: one entry, which points to the changes of the program. */
export function debianChangelog({ debianVersion, epoch }: PackageEdition, maintainer: string): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return [
    `hostspool (${debianVersion}) stable; urgency=medium`,
    '  * The changes of the program are in changelog.gz beside this file.',
    ` -- ${maintainer}  ${date}`,
    '',
  ].join('\n\n');
}
