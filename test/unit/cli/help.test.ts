import { describe, expect, it } from 'vitest';
import yargs, { type Argv, type CommandModule } from 'yargs';
import { drainCommand } from '../../../src/cli/drain.ts';
import { tailCommand } from '../../../src/cli/tail.ts';

async function help(command: CommandModule): Promise<string> {
  return (command.builder as (given: Argv) => Argv)(yargs([])).getHelp();
}

describe('the help of a command', () => {
  it.each([
    ['drain', drainCommand, ['--spool', '--patience']],
    ['tail', tailCommand, ['--from-beginning', '--host', '--max', '--json']],
  ] as const)('shows what %s alone has above the settings', async (_, command, own) => {
    const text = await help(command);
    const settings = text.indexOf('Settings (');
    for (const option of own) {
      const at = text.search(new RegExp(`^ +${option} `, 'm'));
      expect(at).toBeGreaterThan(-1);
      expect(at).toBeLessThan(settings);
    }
  });
});
