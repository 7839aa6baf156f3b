/**
 * The one table of all benchmarks. A figure is the median of its rounds with the least and the most; beside it, where it
 * has a peer, the ratio to what the peer gave in the same round: the machine's mood is in both.
 */
import { median, spread } from './report.ts';

export interface Row {
  readonly section: string;
  readonly what: string;
  readonly values: readonly number[];
  readonly peer?: string;
  readonly ratios?: readonly number[];
  /** What the ratio should be, or the figure where there is none. */
  readonly aim?: string;
}

export function row(
  section: string,
  what: string,
  values: readonly number[],
  more: Pick<Row, 'peer' | 'ratios' | 'aim'> = {},
): Row {
  return { section, what, values, ...more };
}

export function ratios(own: readonly number[], peer: readonly number[]): number[] {
  return own.map((value, round) => value / (peer[round] ?? Number.NaN));
}

/** What is going on, for whoever waits. */
export function show(what: string): void {
  process.stderr.write(`${what}\n`);
}

export function printTable(rows: readonly Row[]): void {
  const lines = rows.map(({ section, what, values, peer = '', ratios: of, aim = '' }) => [
    section,
    what,
    spread(values, digitsOf(values)),
    of === undefined ? '' : spread(of, 2),
    peer,
    aim,
  ]);
  const all = [['', '', 'median (least–most)', 'times the peer', 'peer', 'aim'], ...lines];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((line) => (line[column] ?? '').length))) ?? [];
  for (const line of all) {
    process.stdout.write(
      `${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
}

function digitsOf(values: readonly number[]): number {
  const middle = median(values);
  return middle >= 1000 ? 0 : middle >= 100 ? 1 : middle >= 0.1 ? 2 : 4;
}
