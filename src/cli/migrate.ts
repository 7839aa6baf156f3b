/**
 * `hostspool migrate`: brings the writer's SQL Server to the schema of this build, or tells how it stands, or prints the
 * T-SQL for whoever may run it. --print needs neither settings nor a server.
 */
import type { Argv, CommandModule } from 'yargs';
import { SystemClock } from '../lib/clock.ts';
import { HostspoolError } from '../lib/errors.ts';
import { openLog } from '../ops/log.ts';
import { MIGRATIONS, ROLES } from '../sink/sqlserver/migrations.ts';
import { Migrator, refuseNewer, type SchemaState } from '../sink/sqlserver/migrator.ts';
import { EXIT } from './exit-codes.ts';
import { settingsFrom, settingsOptions } from './settings-options.ts';

type Arguments = Readonly<Record<string, unknown>>;

export const migrateCommand: CommandModule = {
  command: 'migrate',
  describe: 'Bring the SQL Server database of the writer to this version’s schema.',
  builder: (yargs) =>
    settingsOptions(yargs as Argv)
      .option('status', {
        type: 'boolean',
        describe: 'Only show what is applied and what is missing; exit code 3 when something is.',
        conflicts: ['print', 'print-roles'],
      })
      .option('print', {
        type: 'boolean',
        describe: 'Only print the T-SQL, which may be run by any client, also again.',
        conflicts: 'print-roles',
      })
      .option('print-roles', {
        type: 'boolean',
        describe: 'Only print the T-SQL that makes roles with the least rights for writing and for reading.',
      }),
  handler: async (argv) => {
    if (argv.print === true) process.stdout.write(schemaText());
    else if (argv['print-roles'] === true) process.stdout.write(ROLES);
    else await withServer(argv);
  },
};

/** Every file, in order, as it is in sql/. */
export function schemaText(): string {
  return MIGRATIONS.map(({ version, name, sql }) => `-- ${fileName(version, name)}\n${sql.trimEnd()}\n`).join('\n');
}

function fileName(version: number, name: string): string {
  return `${String(version).padStart(4, '0')}-${name}.sql`;
}

async function withServer(argv: Arguments): Promise<void> {
  const { settings } = settingsFrom(argv);
  if (settings.writer.sink !== 'sqlserver') {
    throw new HostspoolError('USAGE', `writer.sink is ${settings.writer.sink}, which is migrated when it is opened`, {
      hint: 'this command is for writer.sink: sqlserver',
    });
  }
  const log = await openLog({ ...settings.log, level: 'error' }, process.stderr);
  const migrator = new Migrator({ settings: settings.sqlserver, log, clock: new SystemClock() });
  try {
    if (argv.status === true) showState(await migrator.state());
    else await migrate(migrator, settings.sqlserver.database);
  } finally {
    await migrator.close();
  }
}

async function migrate(migrator: Migrator, database: string): Promise<void> {
  const applied = await migrator.migrate();
  const lines = applied.map(({ version, name }) => `applied ${fileName(version, name)}\n`);
  process.stdout.write(lines.join('') || `${database} is up to date\n`);
}

function showState({ applied, missing, newer }: SchemaState): void {
  const lines = [
    ...applied.map(({ version, name, applied_at }) => {
      return `applied ${fileName(version, name)} ${new Date(applied_at).toISOString()}\n`;
    }),
    ...missing.map(({ version, name }) => `missing ${fileName(version, name)}\n`),
  ];
  process.stdout.write(lines.join(''));
  refuseNewer(newer);
  if (missing.length > 0) process.exitCode = EXIT.refused;
}
