/**
 * Builds build/hostspool: esbuild makes one file of src/, pkg puts it with the native addons into a copy of Node as a
 * single executable application, whose first script (src/start.ts) runs it. The driver for SQL Server is a file of its own beside it, which only a writer reads:
 * in the one file it would cost every agent some twenty megabytes.
 *
 * The copy of Node is stripped before the injection (after it, the injected blob would be lost). Nothing in the
 * result depends on the time or the machine: two builds of one commit are the same bytes.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { NOTIFY_ASSET, PROGRAM_ASSET } from '../src/lib/assets.ts';
import { DRIVER_ASSET } from '../src/sink/sqlserver/driver.ts';
import { Guard } from '../test/support/guard.ts';
import { buildForeign } from './foreign-executable.ts';
import { compileNotify } from './native.ts';
import { NODE_FLAGS } from './node-flags.ts';

const root = join(import.meta.dirname, '..');
const out = join(root, 'build');
const require = createRequire(import.meta.url);

/** What tedious imports for logins that hostspool does not offer. */
const AZURE_PACKAGES = ['@azure/core-auth', '@azure/identity', '@azure/keyvault-keys'];

interface SeaTarget {
  platform: string;
  arch: string;
  nodeRange: string;
  output: string;
}
type BuildSea = (
  entry: string,
  options: { targets: SeaTarget[]; nodePath: string; signature: boolean; seaConfig: Record<string, unknown> },
) => Promise<void>;

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

/** The commit that is built; `-dirty` when what is built differs from it. */
export function describeCommit(): string {
  const commit = git('rev-parse', '--short=12', 'HEAD');
  if (commit === '') return 'unknown';
  const changed = git('status', '--porcelain', '--', 'src', 'sql', 'scripts', 'package.json', 'package-lock.json');
  return changed === '' ? commit : `${commit}-dirty`;
}

/** Left out of the program's bundle; loaded by src/sink/sqlserver/driver.ts. */
const DRIVER_PACKAGES = ['mssql', 'tedious'];

/** What a test wants otherwise than the sources have it. */
export interface Variant {
  readonly version?: string;
  readonly plugins?: Plugin[];
}

export async function bundle(entry: string, outfile: string, variant: Variant = {}): Promise<void> {
  await bundleOf({ entryPoints: [entry], external: DRIVER_PACKAGES }, outfile, variant);
}

async function bundleDriver(outfile: string): Promise<void> {
  const contents = "module.exports = { mssql: require('mssql'), tedious: require('tedious') };";
  await bundleOf({ stdin: { contents, resolveDir: root } }, outfile);
}

async function bundleOf(entry: BuildOptions, outfile: string, variant: Variant = {}): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  await build({
    ...entry,
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // A module that is imported late is required late: an import() of the program's own would be told as experimental.
    supported: { 'dynamic-import': false },
    // Names stay as they are: keeping them by esbuild's means costs 7 MB and a definition per closure made.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    loader: { '.sql': 'text' },
    alias: Object.fromEntries(AZURE_PACKAGES.map((name) => [name, join(root, 'scripts', 'no-azure.cjs')])),
    define: {
      'import.meta.url': '__import_meta_url',
      'import.meta.dirname': '__dirname',
      BUILD_VERSION: JSON.stringify(variant.version ?? version),
      BUILD_COMMIT: JSON.stringify(describeCommit()),
    },
    banner: { js: "const __import_meta_url = require('node:url').pathToFileURL(__filename).href;" },
    plugins: variant.plugins ?? [],
    logLevel: 'warning',
  });
}

export interface ExecutableOptions {
  /** Node's name of the architecture. */
  readonly arch: string;
  /** The Node that becomes the executable. */
  readonly node: string;
  readonly output: string;
  /** A part that could not be had: told, or thrown. */
  readonly missing: (what: string) => void;
  readonly variant?: Variant;
}

export async function buildExecutable(options: ExecutableOptions): Promise<void> {
  mkdirSync(dirname(options.output), { recursive: true });
  // A folder of its own, so that two builds at once don't meet.
  const work = mkdtempSync(join(dirname(options.output), 'work-'));
  using _guard = Guard.removing(work);
  try {
    await buildIn(work, options);
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function buildIn(work: string, options: ExecutableOptions): Promise<void> {
  const { arch, node: given, output, missing, variant } = options;
  const script = join(work, 'start.cjs');
  const program = join(work, PROGRAM_ASSET);
  const driver = join(work, 'sqlserver-driver.cjs');
  await bundle(join(root, 'src', 'start.ts'), script);
  await bundle(join(root, 'src', 'main.ts'), program, variant);
  writeAsLatin1(program);
  await bundleDriver(driver);

  const node = join(work, 'node');
  copyFileSync(given, node);
  chmodSync(node, 0o755);
  const strip = arch === process.arch ? 'strip' : `${GNU_NAMES[arch]}-linux-gnu-strip`;
  try {
    execFileSync(strip, [node], { stdio: 'ignore' });
  } catch {
    missing(`${strip} (binutils) is not here: the executable is about 10 MB larger`);
  }
  const notify = join(work, NOTIFY_ASSET);
  const withoutNotify = compileNotify(notify, arch);
  if (withoutNotify !== undefined) missing(`the executable can't speak to systemd (Type=notify): ${withoutNotify}`);

  const unfinished = join(work, 'hostspool');
  const config = {
    assets: {
      [PROGRAM_ASSET]: program,
      'better_sqlite3.node': join(root, 'node_modules/better-sqlite3/prebuilds', `linux-${arch}.node`),
      [DRIVER_ASSET]: driver,
      ...(withoutNotify === undefined ? { [NOTIFY_ASSET]: notify } : {}),
    },
    useCodeCache: false,
    disableExperimentalSEAWarning: true,
    execArgv: NODE_FLAGS,
    execArgvExtension: 'none',
  };
  if (arch === process.arch) {
    const { default: buildSea } = require('@yao-pkg/pkg/lib-es5/sea.js') as { default: BuildSea };
    await withTemporaryFolder(work, () =>
      buildSea(script, {
        targets: [{ platform: 'linux', arch, nodeRange: 'node24', output: unfinished }],
        nodePath: node,
        signature: false,
        // The path becomes part of the file, and of every stack: as seen from the folder that pkg makes and works in.
        seaConfig: { ...config, main: join('..', basename(script)) },
      }),
    );
  } else await buildForeign({ script, node, config, work, output: unfinished });
  if (!existsSync(unfinished)) throw new Error('pkg made no executable');
  // The finished file appears at once: a running older one goes on with its own.
  renameSync(unfinished, output);
}

/** A byte a character, as src/start.ts reads it; throws where a character needs more. */
function writeAsLatin1(file: string): void {
  const text = readFileSync(file, 'utf8');
  const beyond = /[^\0-\xff]/.exec(text);
  if (beyond !== null)
    throw new Error(`${basename(file)} has a character beyond Latin-1: ${JSON.stringify(beyond[0])}`);
  writeFileSync(file, text, 'latin1');
}

/** pkg works in a folder of its own in the one for temporary files. */
async function withTemporaryFolder(folder: string, work: () => Promise<void>): Promise<void> {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  try {
    await work();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}

/** GNU's names of architectures by Node's. */
const GNU_NAMES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** Makes build/hostspool. */
export async function buildHere(): Promise<void> {
  const output = join(out, 'hostspool');
  const missing = (what: string) => process.stderr.write(`${what}\n`);
  await buildExecutable({ arch: process.arch, node: process.execPath, output, missing });
  const megabytes = (statSync(output).size / 1e6).toFixed(0);
  process.stderr.write(`build/hostspool: ${describeCommit()}, ${megabytes} MB\n`);
}

if (import.meta.main) await buildHere();
