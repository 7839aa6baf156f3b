/**
 * The command line: every error comes out in one shape with one exit code.
 *
 * The commands are imported only where a word of the arguments could be the name of one, or help is wanted. What starts
 * a service is settings alone, and a service has no use for them.
 */
import yargs, { type CommandModule } from 'yargs';
import { nearest } from '../config/problems.ts';
import { asError, HostspoolError } from '../lib/errors.ts';
import { printableLines } from '../lib/printable.ts';
import { describeError } from '../ops/log.ts';
import { exitCodeOf } from './exit-codes.ts';
import { EXIT_CODES, isMonitoring } from './monitoring.ts';
import { runCommand } from './run.ts';

/** Runs the command that `args` name; answers the exit code. Never rejects. */
export async function runCli(args: readonly string[]): Promise<number> {
  const commands = isForService(args) ? [runCommand] : (await import('./commands.ts')).commands;
  const parser = yargs([...args])
    .scriptName('hostspool')
    .usage('$0 [--mode=agent|writer|local] [settings]\n$0 <command>')
    .parserConfiguration({ 'dot-notation': false, 'camel-case-expansion': false, 'boolean-negation': false })
    .command([...commands])
    .strict()
    .version(false)
    .help('help', 'Show this help.')
    .alias('help', 'h')
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .exitProcess(false)
    .fail((message, error) => {
      if (error instanceof Error && !isUsageError(error)) throw error;
      throw usageError(message || asError(error).message, commands);
    });
  try {
    await parser.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return failed(error, args);
  }
}

/** Whether there are options alone, none of which asks for help. */
function isForService(args: readonly string[]): boolean {
  return args.every((each) => /^--[^-]/.test(each) && !each.startsWith('--help'));
}

/** Standard output takes nothing more (a full disk behind a redirection): says so, and answers the exit code. */
export function outputFailed(error: Error, args: readonly string[]): number {
  const message = `the output could not be written: ${error.message}`;
  const hint = 'look at where it is redirected to: a full disk, most often';
  return failed(new HostspoolError('OUTPUT_FAILED', message, { hint }), args);
}

function failed(error: unknown, args: readonly string[]): number {
  printError(error);
  // To monitoring 1 is a warning and 2 critical: a status that could not be told is unknown.
  return isMonitoring(args) ? EXIT_CODES.unknown : exitCodeOf(error);
}

/** What is wrong with the command line, with the command that was probably meant. */
function usageError(message: string, commands: readonly CommandModule[]): HostspoolError {
  const [, unknown] = /^Unknown argument: (\S+)$/.exec(message) ?? [];
  const names = commands.flatMap(({ command }) => command ?? []).map((each) => each.split(' ')[0] ?? '');
  const [meant] =
    unknown === undefined
      ? []
      : nearest(
          unknown,
          names.filter((name) => /^[a-z]/.test(name)),
        );
  return new HostspoolError('USAGE', message, {
    hint: meant === undefined ? 'see hostspool --help' : `did you mean hostspool ${meant}? See hostspool --help`,
  });
}

/** yargs' own errors (an unknown argument, a missing value) are named so. */
function isUsageError(error: Error): boolean {
  return error.name === 'YError';
}

/** One line for a person with the stable code for a program, the hint below; a stack only for what nobody foresaw. */
export function printError(thrown: unknown): void {
  const error = asError(thrown);
  const lines =
    error instanceof HostspoolError
      ? [`hostspool: ${error.message} [${error.code}]`, ...(error.hint === undefined ? [] : [`  hint: ${error.hint}`])]
      : [`hostspool: unexpected error: ${error.stack ?? error.message} [INTERNAL]`];
  if (error instanceof HostspoolError && error.cause !== undefined) {
    const cause = String(describeError(error.cause).message);
    if (!error.message.includes(cause)) lines.push(`  cause: ${cause}`);
  }
  process.stderr.write(printableLines(lines));
}
