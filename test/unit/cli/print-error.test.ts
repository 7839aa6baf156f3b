import { afterEach, expect, it, vi } from 'vitest';
import { printError } from '../../../src/cli/cli.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';

afterEach(() => vi.restoreAllMocks());

function printed(error: unknown): string {
  let text = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  printError(error);
  return text;
}

it('an error in a server’s own words cannot steer the terminal; its lines stay lines', () => {
  const cause = new Error('\u001b]0;title\u0007 said \u009b2J the \u202eserver');
  const text = printed(new HostspoolError('SINK_OTHER', 'first\u001b[31m\nsecond', { hint: 'look', cause }));
  expect(text.split('\n')).toEqual([
    'hostspool: first\\u001b[31m',
    'second [SINK_OTHER]',
    '  hint: look',
    '  cause: \\u001b]0;title\\u0007 said \\u009b2J the \\u202eserver',
    '',
  ]);
  expect(printed(new Error('\u001b[2J'))).toContain('unexpected error: Error: \\u001b[2J');
});
