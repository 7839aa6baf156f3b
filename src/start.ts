/**
 * The executable's first lines: they run the program, which is an asset beside them.
 *
 * As the main script its text, two megabytes, would lie in the memory of every process for ever, since V8 compiles a
 * function when it is first called. So it is read where it is, in the executable's own mapping, of which only the pages
 * in use stay. That takes the addon; where it can't be loaded the text is copied, and nothing else differs.
 */
import { getRawAsset } from 'node:sea';
import { compileFunction } from 'node:vm';
import { NOTIFY_ASSET, PROGRAM_ASSET } from './lib/assets.ts';
import { loadEmbeddedAddon } from './lib/embedded-addon.ts';

function programText(): string {
  // The bytes themselves, not a copy.
  const bytes = getRawAsset(PROGRAM_ASSET);
  try {
    const { text } = loadEmbeddedAddon(NOTIFY_ASSET, 'system calls') as {
      text(bytes: ArrayBuffer): string | undefined;
    };
    const inPlace = text(bytes as ArrayBuffer);
    if (inPlace !== undefined) return inPlace;
  } catch {
    // An executable built without a compiler has none, and a host may have no place to load it from.
  }
  return Buffer.from(bytes as ArrayBuffer).toString('latin1');
}

const parameters = ['exports', 'require', 'module', '__filename', '__dirname'];
const program = compileFunction(programText(), parameters, { filename: PROGRAM_ASSET });
program(exports, require, module, __filename, __dirname);
