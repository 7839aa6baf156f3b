/**
 * No step of the load is decoration: each one left out, and each two neighbours that change places, make at least one
 * scenario fail. Pairs whose order is only that in which locks are taken are listed, and held to make no difference.
 */
import { describe, expect, it } from 'vitest';
import { LOAD_STEPS, type LoadStep, loadBatch } from '../../src/sink/sqlserver/load-batch.ts';
import { STATEMENTS } from '../../src/sink/sqlserver/statements.ts';
import { LOAD_SCENARIOS } from '../support/load-scenarios.ts';
import { SqlServerFixture } from '../support/sqlserver-fixture.ts';

/** The names of the scenarios that fail with this batch; stops at the first. */
async function failing(steps: readonly LoadStep[]): Promise<string | undefined> {
  for (const [name, scenario] of Object.entries(LOAD_SCENARIOS)) {
    await using fixture = await SqlServerFixture.open({ statements: { ...STATEMENTS, load: loadBatch(steps) } });
    try {
      await scenario(fixture);
    } catch {
      return name;
    }
  }
  return undefined;
}

function swapped(first: string): LoadStep[] {
  const steps = [...LOAD_STEPS];
  const index = steps.findIndex(({ name }) => name === first);
  const [one, two] = [steps[index], steps[index + 1]];
  if (one === undefined || two === undefined) throw new Error(`${first} has no neighbour`);
  steps.splice(index, 2, two, one);
  return steps;
}

const NAMES = LOAD_STEPS.map(({ name }) => name);
const PAIRS = NAMES.slice(1).map((name, index) => [NAMES[index] ?? '', name] as const);

/** By the first of the pair, why its order does not show in the tables. */
const EQUIVALENT: Readonly<Record<string, string>> = {
  'begin-offsets': 'a partition has its first row or moves it, never both in one load',
  'check-fence': 'dropping what is known from #stage is rolled back with everything else',
  'insert-rows': 'rows and runs do not look at each other',
  'insert-runs': 'a run is new or known, never both in one load: version 0 and version ≥ 1',
  'check-runs': 'removing gaps is rolled back with everything else',
  'gaps-come': 'gaps and hosts do not look at each other',
  'hosts-heard': 'they set different columns',
  'hosts-add': 'hosts and holes do not look at each other',
  'forget-skips': 'in one partition a reset goes back or skips, never both',
};

describe('the load as it is', () => {
  it('passes every scenario', async () => {
    expect(await failing(LOAD_STEPS)).toBeUndefined();
  });

  it('depends on staging tables that are emptied before each use', async () => {
    const statements = { ...STATEMENTS, 'empty-tables': '/* step: load */' };
    await using fixture = await SqlServerFixture.open({ statements });
    await expect(LOAD_SCENARIOS['a first load, and one that goes on']?.(fixture)).rejects.toThrow();
  });
});

describe('a load without a step fails', () => {
  it.each(NAMES)('%s', async (name) => {
    expect(await failing(LOAD_STEPS.filter((step) => step.name !== name))).toBeDefined();
  });
});

describe('a load with two steps in the other order', () => {
  it.each(PAIRS.filter(([first]) => EQUIVALENT[first] === undefined))('fails: %s, %s', async (first) => {
    expect(await failing(swapped(first))).toBeDefined();
  });

  it.each(PAIRS.filter(([first]) => EQUIVALENT[first] !== undefined))('is the same: %s, %s', async (first) => {
    expect(await failing(swapped(first))).toBeUndefined();
  });
});
