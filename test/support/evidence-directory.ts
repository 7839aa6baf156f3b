/**
 * Where a storm or a soak works: a directory in build/ that is removed at the end, unless something was found in what
 * lies there, or it is to be kept.
 *
 * The first Ctrl-C ends what is going on, and the verdict follows; the second ends everything at once.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Guard } from './guard.ts';
import { stopSignal } from './two-signals.ts';

export interface EvidenceOptions {
  /** What the directory is called, but for what makes it another than all others. */
  readonly name: string;
  readonly keep: boolean;
  /** What still follows the first Ctrl-C. */
  readonly verdict: string;
  readonly say: (line: string) => void;
}

/** Answers how many findings there were. `run` is what may be stopped. */
export async function inEvidenceDirectory(
  { name, keep, verdict, say }: EvidenceOptions,
  run: (directory: string, stop: AbortSignal) => Promise<number>,
): Promise<number> {
  const build = join(import.meta.dirname, '../../build');
  mkdirSync(build, { recursive: true });
  const directory = mkdtempSync(join(build, `${name}-`));
  const sayKept = () => say(`kept       ${directory}`);
  const stop = stopSignal({
    first: () => say(`stopping   the ${verdict} follows; Ctrl-C again ends everything at once, without it`),
    second: () => {
      if (keep) sayKept();
      else Guard.removing(directory);
    },
  });
  let findings: number;
  try {
    findings = await run(directory, stop);
  } catch (error) {
    sayKept();
    throw error;
  }
  if (findings > 0 || keep) sayKept();
  else rmSync(directory, { recursive: true, force: true });
  return findings;
}
