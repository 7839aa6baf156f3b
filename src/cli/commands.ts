/** All commands, one file each. */
import type { CommandModule } from 'yargs';
import { checkCommand } from './check.ts';
import { configCommand } from './config.ts';
import { deadLettersCommand } from './dead-letters.ts';
import { drainCommand } from './drain.ts';
import { healthCommand } from './health.ts';
import { hostsCommand } from './hosts.ts';
import { lagCommand } from './lag.ts';
import { migrateCommand } from './migrate.ts';
import { offsetsCommand } from './offsets.ts';
import { runCommand } from './run.ts';
import { sampleCommand } from './sample.ts';
import { statusCommand } from './status.ts';
import { tailCommand } from './tail.ts';

/** In the order of the help; the manual page and the completions are made from them too. */
export const commands: readonly CommandModule[] = [
  ...[runCommand, statusCommand, healthCommand, checkCommand, sampleCommand, configCommand, drainCommand, tailCommand],
  ...[lagCommand, offsetsCommand, hostsCommand, deadLettersCommand, migrateCommand],
];
