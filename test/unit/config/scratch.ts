/** A directory of its own for a test, gone after it, and settings loaded from nothing but what the test gives. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type LoadedSettings, loadSettings } from '../../../src/config/load.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';

export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'hostspool-config-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Writes a file into a scratch directory; answers its path. */
export function scratchFile(content: string | Uint8Array, name = 'hostspool.yaml', mode = 0o600): string {
  const path = join(scratchDirectory(), name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

export interface Given {
  readonly flags?: Record<string, unknown>;
  readonly env?: NodeJS.ProcessEnv;
  /** Content of the YAML file. */
  readonly yaml?: string | Uint8Array;
}

/** Loads without the machine's environment and settings file. */
export function load({ flags = {}, env = {}, yaml }: Given): LoadedSettings {
  const config = yaml === undefined ? {} : { config: scratchFile(yaml) };
  return loadSettings({ flags: { ...config, ...flags }, env: { HOME: '/home/someone', ...env }, defaultFile: '' });
}

/** The error that loading ends with; fails the test if it does not. */
export function loadError(given: Given): HostspoolError {
  try {
    load(given);
  } catch (error) {
    if (error instanceof HostspoolError) return error;
    throw error;
  }
  throw new Error('the settings loaded');
}
