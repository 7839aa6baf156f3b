import { expect, it } from 'vitest';
import { takeOutUnsafe } from '../../../src/config/unsafe-environment.ts';

it('takes out what would make Node believe any certificate, says so once, and touches nothing else', () => {
  const env: NodeJS.ProcessEnv = { NODE_TLS_REJECT_UNAUTHORIZED: '0', PATH: '/bin' };
  expect(takeOutUnsafe(env)).toEqual([expect.stringContaining('is ignored')]);
  expect(env).toEqual({ PATH: '/bin' });
  expect(takeOutUnsafe(env)).toEqual([]);
});

it('says nothing of a value that changes nothing', () => {
  const env: NodeJS.ProcessEnv = { NODE_TLS_REJECT_UNAUTHORIZED: '1' };
  expect(takeOutUnsafe(env)).toEqual([]);
  expect(env).toEqual({});
});
