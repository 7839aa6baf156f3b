import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { caseOf, nextProperty } from '../../support/fuzz-case.ts';

/** The case in the command that a failure tells. */
const AGAIN = /HOSTSPOOL_FUZZ_CASE=(\S+) node_modules\/\.bin\/vitest run test\/unit\/storm\/fuzz-case\.test\.ts -t '/;

afterEach(() => vi.unstubAllEnvs());

function messageOf(run: () => void): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('a failed property', () => {
  it('tells the command that tries its smallest counterexample alone', () => {
    const tried: number[] = [];
    const property = fc.property(fc.integer(), (number) => {
      tried.push(number);
      return number < 100;
    });
    nextProperty(1);
    const failure = messageOf(() => fc.assert(property, nextProperty(1000)));
    const told = AGAIN.exec(failure)?.[1] ?? '';
    expect(caseOf(told)?.number).toBe(2);

    // What the test tries next is its third and fourth.
    vi.stubEnv('HOSTSPOOL_FUZZ_CASE', told.replace(/^2/, '4'));
    tried.length = 0;
    fc.assert(property, nextProperty(1000));
    expect(tried).toEqual([]);
    expect(messageOf(() => fc.assert(property, nextProperty(1000)))).toContain('Counterexample: [100]');
    expect(tried).toEqual([100]);
  });

  it('is not guessed at', () => {
    expect(() => caseOf('-881884637')).toThrow('NUMBER/SEED/PATH');
    expect(caseOf('1/-5/0:1')).toEqual({ number: 1, seed: -5, path: '0:1' });
  });
});
