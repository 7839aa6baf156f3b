/** What a storm is told at the command line. */
import { duration, oneOf, readArguments, wholeNumber } from '../support/command-line.ts';
import { DATABASES, type DatabaseName } from './database.ts';
import { PARTS, type StormPart } from './fault.ts';
import { SABOTAGES, type Sabotage } from './sabotage.ts';
import { SABOTAGED_BUILDS, type SabotagedBuild, type SabotagedBuildName } from './sabotaged-builds.ts';

export interface StormArguments {
  readonly minutes: number;
  readonly shape: { readonly seed: number; readonly agents: number; readonly writers: number };
  readonly database: DatabaseName;
  readonly part: StormPart;
  readonly sabotage: Sabotage | SabotagedBuildName | undefined;
  readonly keep: boolean;
  /** Whether build/hostspool is made first. */
  readonly build: boolean;
}

/** More are not longer than a timer of Node's can be. */
export const MOST_MINUTES = 10_000;
const SEEDS = { least: 0, most: 2 ** 32 - 1 };
const PROCESSES = { least: 1, most: 20 };

const names = [...Object.keys(SABOTAGED_BUILDS), ...Object.keys(SABOTAGES)] as (Sabotage | SabotagedBuildName)[];

/** Throws WrongArgument. */
export function stormArguments(args: readonly string[]): StormArguments {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = readArguments({
    args: [...args],
    options: {
      minutes: { ...text, default: '10' },
      seed: { ...text, default: String(Math.floor(Math.random() * 1_000_000)) },
      agents: { ...text, default: '4' },
      writers: { ...text, default: '3' },
      database: text,
      part: { ...text, default: 'everything' },
      sabotage: text,
      keep: flag,
      build: flag,
    },
  });
  const { keep, build } = values;
  const sabotage = values.sabotage === undefined ? undefined : oneOf('sabotage', values.sabotage, names);
  const made: SabotagedBuild | undefined = SABOTAGED_BUILDS[sabotage as SabotagedBuildName];
  return {
    minutes: duration('minutes', values.minutes, MOST_MINUTES),
    shape: {
      seed: wholeNumber('seed', values.seed, SEEDS),
      agents: wholeNumber('agents', values.agents, PROCESSES),
      writers: wholeNumber('writers', values.writers, PROCESSES),
    },
    database: oneOf('database', values.database ?? made?.database ?? 'tds', DATABASES),
    part: oneOf('part', values.part, PARTS),
    sabotage,
    keep,
    build,
  };
}

/** The command that repeats it. */
export function commandOf({ minutes, shape, database, part, sabotage }: StormArguments): string {
  const { seed, agents, writers } = shape;
  const more = sabotage === undefined ? '' : ` --sabotage ${sabotage}`;
  return `npm run storm -- --minutes ${minutes} --seed ${seed} --agents ${agents} --writers ${writers} --database ${database} --part '${part}'${more}`;
}
