/**
 * Builds that differ from the sources in one thing: another version, or a protection taken out. They are made in
 * build/, beside the executable that they are a variant of.
 *
 * A protection is taken out by a change to a source file as it is bundled. Its old text must stand there exactly once,
 * so that a change of the sources cannot leave a sabotage that takes out nothing.
 */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Plugin } from 'esbuild';
import { buildExecutable, type Variant } from '../../scripts/build.ts';

const root = join(import.meta.dirname, '../..');

export interface Edit {
  /** Path from the root of the project. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const OTHER_VERSION = '0.0.9';

/** Answers the path of the executable. */
export async function buildVariant(
  name: string,
  variant: { version?: string; edits?: readonly Edit[] },
): Promise<string> {
  const output = join(root, 'build', `hostspool-${name}`);
  const plugins = variant.edits === undefined ? [] : [editing(variant.edits)];
  const given: Variant = { plugins, ...(variant.version === undefined ? {} : { version: variant.version }) };
  const missing = (what: string) => process.stderr.write(`${what}\n`);
  await buildExecutable({ arch: process.arch, node: process.execPath, output, missing, variant: given });
  return output;
}

/** The sources after the edits. Throws where one does not fit. */
export function edited(file: string, source: string, edits: readonly Edit[]): string {
  let changed = source;
  for (const edit of edits) {
    if (edit.file !== file) continue;
    if (changed.split(edit.from).length !== 2) throw new Error(`${file} does not have this text once: ${edit.from}`);
    changed = changed.replace(edit.from, () => edit.to);
  }
  return changed;
}

function editing(edits: readonly Edit[]): Plugin {
  const files = new Set(edits.map(({ file }) => file));
  return {
    name: 'edits',
    setup(build) {
      build.onLoad({ filter: /\.(ts|sql)$/ }, ({ path }) => {
        const file = relative(root, path);
        if (!files.has(file)) return undefined;
        const loader = file.endsWith('.sql') ? 'text' : 'ts';
        return { contents: edited(file, readFileSync(path, 'utf8'), edits), loader };
      });
    },
  };
}
