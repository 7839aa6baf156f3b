import { describe, expect, it } from 'vitest';
import { commandOf, stormArguments } from '../../storm/arguments.ts';
import { WrongArgument } from '../../support/command-line.ts';

function refusalOf(...args: string[]): string {
  try {
    stormArguments(args);
  } catch (error) {
    if (error instanceof WrongArgument) return error.message;
    throw error;
  }
  return 'taken';
}

describe('the arguments of a storm', () => {
  it('say which is wrong, and what is allowed', () => {
    expect(refusalOf('--minutes', '0')).toBe('--minutes is a number above 0, 10000 at the most, not 0');
    expect(refusalOf('--minutes', '2m')).toBe('--minutes is a number above 0, 10000 at the most, not 2m');
    expect(refusalOf('--seed', '1.5')).toBe('--seed is a whole number from 0 to 4294967295, not 1.5');
    expect(refusalOf('--agents', '21')).toBe('--agents is a whole number from 1 to 20, not 21');
    expect(refusalOf('--writers', '')).toBe('--writers is a whole number from 1 to 20, not an empty text');
    expect(refusalOf('--database', 'oracle')).toBe('--database is one of tds, sqlite, mssql, not oracle');
    expect(refusalOf('--part', 'lost-logs')).toBe("--part is one of everything, 'lost logs', not lost-logs");
    expect(refusalOf('--sabotage', 'fence')).toMatch(
      /^--sabotage is one of no-fence, .*, drop-dead-letter, not fence$/,
    );
  });

  it('say what belongs to no option, lacks its value, or has one too many', () => {
    expect(refusalOf('--minute', '2')).toMatch(/^there is no option --minute; there are --minutes, --seed, /);
    expect(refusalOf('-m', '2')).toMatch(/^there is no option -m; there are --minutes, /);
    expect(refusalOf('2')).toMatch(/^2 belongs to no option; .* --minutes, /);
    expect(refusalOf('--minutes')).toBe('--minutes lacks its value');
    expect(refusalOf('--seed', '--keep')).toBe('--seed lacks its value');
    expect(refusalOf('--keep=yes')).toBe('--keep takes no value');
  });

  it('are those of the command that repeats it', () => {
    const given = ['--minutes', '0.5', '--seed', '7', '--agents', '2', '--part', 'lost logs', '--sabotage', 'no-dedup'];
    const once = stormArguments(given);
    expect(once).toMatchObject({ minutes: 0.5, shape: { seed: 7, agents: 2, writers: 3 }, database: 'sqlite' });
    const command = commandOf(once).replace('npm run storm -- ', '');
    const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
    expect(stormArguments(words)).toEqual(once);
  });
});
