/** argv to a command, errors to an exit code; nothing else. */
import { outputFailed, printError, runCli } from './cli/cli.ts';

const args = process.argv.slice(2);

// Whoever read our output is gone (`hostspool tail | head`): that is an end, not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : outputFailed(error, args));
});

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    printError(error);
    process.exit(1);
  });
}

/** How long what is still under way may take to end by itself once the command is over, ms. */
const LINGER_MS = 1000;

let ended = false;
// Nothing is left that could go on, and still there is no result: that must not look like success.
process.on('beforeExit', () => {
  if (ended) return;
  ended = true;
  printError(new Error('the command came to no end'));
  process.exitCode = 1;
});

void runCli(args).then((code) => {
  ended = true;
  process.exitCode = code;
  // A file system call that never returns (a dead mount) would keep the process for ever, in process.exit too.
  setTimeout(() => process.kill(process.pid, 'SIGTERM'), LINGER_MS).unref();
});
