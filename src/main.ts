/** argv to a command, errors to an exit code; nothing else. */
import { printError, runCli } from './cli/cli.ts';

// Whoever read our output is gone (`hostspool tail | head`): that is an end, not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    printError(error);
    process.exit(1);
  });
}

void runCli(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
