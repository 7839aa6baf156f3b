/**
 * `npm run bench`: what hostspool costs here, in one table and in build/bench.json. The processes are those of the built
 * executable (`npm run build`). With the names of sections only those are run.
 */
import '../sql-as-text.ts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { orRefuse, readArguments, refuse, wholeNumber } from '../../test/support/command-line.ts';
import { addFigures, median } from './report.ts';
import { printTable, type Row } from './table.ts';

const text = { type: 'string' } as const;
const { values, positionals } = orRefuse('bench', () =>
  readArguments({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      seconds: text,
      samples: text,
      messages: text,
      rounds: text,
      rows: text,
    },
  }),
);

const MOST = 1_000_000_000;
const { quick } = values;
/** What was asked for, else what suits a quick run or a whole one. */
function amount(option: Exclude<keyof typeof values, 'quick'>, least: number, short: number, whole: number): number {
  const asked = values[option];
  if (asked === undefined) return quick ? short : whole;
  return orRefuse('bench', () => wholeNumber(option, asked, { least, most: MOST }));
}
const rounds = amount('rounds', 1, 3, 5);
const samples = amount('samples', 1000, 50_000, 100_000);
const messages = amount('messages', 1000, 50_000, 200_000);
const rows = amount('rows', 0, 100_000, 1_000_000);
const seconds = amount('seconds', 10, 15, 60);

const SECTIONS: Readonly<Record<string, () => Promise<Row[]>>> = {
  decode: async () => {
    const { benchDecode } = await import('./decode.ts');
    return benchDecode({ messages: 10_000, rounds: 3 * rounds });
  },
  spool: async () => {
    const { benchSpool } = await import('./spool.ts');
    const before = values.rows === undefined && !quick ? 5_000_000 : rows;
    return benchSpool({ appends: 1000, rounds, rows: before });
  },
  drain: async () => {
    const { benchDrain } = await import('./drain.ts');
    return benchDrain({ samples, rounds });
  },
  writer: async () => {
    const { benchWriter } = await import('./writer.ts');
    return benchWriter({ messages, rounds });
  },
  stages: async () => {
    const { benchStages } = await import('./stages.ts');
    return benchStages({ messages, rounds });
  },
  growth: async () => {
    const { benchGrowth } = await import('./growth.ts');
    return benchGrowth({
      messages: Math.min(messages, 50_000),
      rounds,
      sizes: values.rows === undefined && !quick ? [0, 1_000_000, 10_000_000] : [0, rows],
    });
  },
  agent: async () => {
    const { benchAgent } = await import('./agent.ts');
    return benchAgent({ seconds });
  },
};

const unknown = positionals.filter((name) => SECTIONS[name] === undefined);
if (unknown.length > 0) {
  refuse('bench', `there is no section ${unknown.join(', ')}; there are ${Object.keys(SECTIONS).join(', ')}`);
}
if (!existsSync(join(import.meta.dirname, '../../build/hostspool'))) {
  refuse('bench', 'build/hostspool is missing: npm run build');
}

const table: Row[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(SECTIONS)) {
  const measured = (await SECTIONS[name]?.()) ?? [];
  table.push(...measured);
  if (measured.length > 0)
    addFigures(name, Object.fromEntries(measured.map((each) => [nameOf(each), figuresOf(each)])));
}
if (table.length > 0) printTable(table);

function nameOf({ section, what, peer }: Row): string {
  return `${section}: ${what}${peer === undefined ? '' : ` beside ${peer}`}`;
}

function figuresOf({ values: all, peer, ratios, aim }: Row) {
  return {
    median: median(all),
    values: all,
    ...(peer === undefined || ratios === undefined ? {} : { peer, ratio: median(ratios), ratios }),
    ...(aim === undefined ? {} : { aim }),
  };
}
