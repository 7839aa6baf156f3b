import { describe, expect, it } from 'vitest';
import type { Account } from '../../../src/accounts/account.ts';
import { AccountCache } from '../../../src/sink/account-cache.ts';

function account(run_id: string, version: number): Account {
  return {
    run_id,
    hostname: 'h',
    first_seen: 0,
    last_seen: 0,
    last_seq: version,
    last_seq_by_partition: new Map(),
    ended: null,
    uncertain: false,
    gaps: [],
    version,
  };
}

function cacheOver(stored: Map<string, Account>, generation?: number) {
  const asked: string[][] = [];
  const readAccounts = async (runs: Iterable<string>) => {
    const wanted = [...runs];
    asked.push(wanted);
    return new Map(wanted.flatMap((run) => (stored.has(run) ? [[run, stored.get(run) as Account]] : [])));
  };
  return { asked, cache: new AccountCache({ readAccounts }, generation) };
}

describe('the cache of accounts', () => {
  it('reads a run once, and knows what a committed load has written', async () => {
    const { asked, cache } = cacheOver(new Map([['a', account('a', 1)]]));
    expect((await cache.read(['a', 'new'])).get('a')?.version).toBe(1);
    cache.committed([
      { before: undefined, after: account('new', 0) },
      { before: account('a', 1), after: account('a', 1) },
    ]);
    const again = await cache.read(['a', 'new']);
    expect([again.get('a')?.version, again.get('new')?.version]).toEqual([2, 1]);
    expect(asked).toEqual([['a', 'new']]);
  });

  it('reads everything again once it was told to forget', async () => {
    const { asked, cache } = cacheOver(new Map([['a', account('a', 1)]]));
    await cache.read(['a']);
    cache.forget();
    await cache.read(['a']);
    expect(asked).toEqual([['a'], ['a']]);
  });

  it('lets go of runs that nobody asks for, and never of the newest state of the others', async () => {
    const stored = new Map(Array.from({ length: 30 }, (_, n) => [`r${n}`, account(`r${n}`, 1)]));
    const { asked, cache } = cacheOver(stored, 4);
    await cache.read(['r0']);
    cache.committed([{ before: undefined, after: account('r0', 7) }]);
    for (let n = 1; n < 30; n++) {
      await cache.read([`r${n}`]);
      expect((await cache.read(['r0'])).get('r0')?.version).toBe(8);
    }
    const before = asked.length;
    await cache.read(['r1']);
    expect(asked.length).toBe(before + 1);
  });
});
