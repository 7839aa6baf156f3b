/**
 * What a benchmark found, on the terminal for a person and in build/bench.json for a machine.
 *
 * The file holds one object per section. A run replaces the sections it measured and leaves the others, so that the
 * parts of the benchmark can be run one after the other; each says when and on what it was measured.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';

/** Numbers in the unit that their name ends in (`cpu_ms_per_sample`), or a text. */
export type Figures = { readonly [name: string]: number | string | readonly number[] | Figures };

const file = join(import.meta.dirname, '..', '..', 'build', 'bench.json');

/** Puts the figures of a section into build/bench.json, in place of those it had. */
export function addFigures(section: string, figures: Figures): void {
  const all = { ...readFigures(), [section]: { measured: circumstances(), ...figures } };
  mkdirSync(dirname(file), { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, `${JSON.stringify(all, null, 2)}\n`);
  renameSync(unfinished, file);
}

function readFigures(): Figures {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Figures;
  } catch {
    return {};
  }
}

/** What a figure has to be read with: when, on how many cores, and how busy they were in the last minute. */
function circumstances(): Figures {
  return {
    at: new Date().toISOString(),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    load_1: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

/** The middle of the values, or the mean of the two around it; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** `2.1 (1.9–2.6)`: median, least and most. */
export function spread(values: readonly number[], digits: number): string {
  const shown = (value: number) => value.toFixed(digits);
  return `${shown(median(values))} (${shown(Math.min(...values))}–${shown(Math.max(...values))})`;
}
