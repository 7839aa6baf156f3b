/**
 * A failed property, repeated. HOSTSPOOL_FUZZ_CASE=NUMBER/SEED/PATH tries one case of the NUMBERth property of a test,
 * by fast-check's seed and path, and none of the test's others. A failure tells the whole command.
 */
import { relative } from 'node:path';
import type { Parameters as Options, RunDetails } from 'fast-check';
import fc from 'fast-check';
import { expect } from 'vitest';

/** How many properties each test has tried. */
const tried = new Map<string, number>();

export function nextProperty<T>(numRuns: number): Options<T> {
  const { testPath = '', currentTestName = '' } = expect.getState();
  const number = (tried.get(currentTestName) ?? 0) + 1;
  tried.set(currentTestName, number);
  const reporter = (details: RunDetails<T>) => {
    if (!details.failed) return;
    const { seed, counterexamplePath, errorInstance } = details;
    const file = relative(process.cwd(), testPath);
    const again = commandOf(`${number}/${seed}/${counterexamplePath}`, file, currentTestName);
    throw new Error(`${fc.defaultReportMessage(details)}\n\nagain: ${again}`, { cause: errorInstance });
  };
  const asked = caseOf(process.env.HOSTSPOOL_FUZZ_CASE);
  if (asked === undefined) return { numRuns, reporter };
  if (asked.number !== number) return { numRuns: 0, reporter };
  return { numRuns: 1, seed: asked.seed, path: asked.path, endOnFailure: true, reporter };
}

/** For a shell; vitest takes a regular expression. */
export function commandOf(fuzzCase: string, file: string, testName: string): string {
  const name = testName.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return `HOSTSPOOL_FUZZ_CASE=${fuzzCase} node_modules/.bin/vitest run ${file} -t '${name.replaceAll("'", "'\\''")}'`;
}

export function caseOf(text: string | undefined): { number: number; seed: number; path: string } | undefined {
  if (text === undefined || text === '') return undefined;
  const [, number, seed, path = ''] = /^(\d+)\/(-?\d+)\/(\d+(?::\d+)*)$/.exec(text) ?? [];
  if (number === undefined)
    throw new Error(`HOSTSPOOL_FUZZ_CASE=${text} is not NUMBER/SEED/PATH as a failure tells it`);
  return { number: Number(number), seed: Number(seed), path };
}
