/**
 * `hostspool health`: asks the process that runs with these settings how it is; a container's own health check.
 *
 * Exit code 0 while it does its work, with or without trouble; 1 when it does not, or does not answer; 2 when the
 * settings name nobody to ask. The mode decides the default port, so it has to be in the settings, not only a flag of
 * the process that runs.
 */
import type { Argv, CommandModule } from 'yargs';
import { asError, HostspoolError } from '../lib/errors.ts';
import { printable } from '../lib/printable.ts';
import type { HealthAnswer, HealthQuestion } from '../ops/condition.ts';
import { type Arguments, durationArgument } from './argument-values.ts';
import { writeJson } from './centre.ts';
import { EXIT } from './exit-codes.ts';
import { OWN_OPTIONS, settingsFrom, settingsOptions } from './settings-options.ts';

const DEFAULT_TIMEOUT_MS = 3_000;
const SHOWN: ReadonlySet<string> = new Set(['mode', 'http.address']);

export const healthCommand: CommandModule = {
  command: 'health',
  describe: 'Ask the running process how it is, over its http.address. For containers and scripts.',
  builder: (yargs) => settingsOptions(healthOptions(yargs as Argv), SHOWN),
  handler: async (argv) => {
    try {
      await showHealth(argv);
    } catch (error) {
      if (argv.json === true) writeJson(unknown(asError(error)));
      throw error;
    }
  },
};

function healthOptions(yargs: Argv): Argv {
  return yargs
    .option('ready', { type: 'boolean', describe: 'Ask whether it has begun its work, as /health/ready.' })
    .option('live', { type: 'boolean', describe: 'Ask whether a restart would mend it, as /health/live.' })
    .conflicts('ready', 'live')
    .option('timeout', { type: 'string', requiresArg: true, describe: 'Time limit of all. Default: 3s.' })
    .option('json', { type: 'boolean', describe: 'As JSON: status, reasons.' })
    .group(['ready', 'live', 'timeout', 'json'], OWN_OPTIONS);
}

async function showHealth(argv: Arguments): Promise<void> {
  // It loads HTTP and TLS, which nothing else that begins here wants to pay for.
  const { askHealth, healthTarget } = await import('../ops/health-client.ts');
  const question = questionOf(argv);
  const timeout = durationArgument(argv, 'timeout') ?? DEFAULT_TIMEOUT_MS;
  const { http } = settingsFrom(argv).settings;
  const answer = await askHealth(question, http, timeout);
  process.exitCode = answer.status === 'failed' ? EXIT.failed : EXIT.ok;
  if (argv.json === true) writeJson(answer);
  else process.stdout.write(`${healthText(healthTarget(question, http).url, answer)}\n`);
}

function questionOf(argv: Arguments): HealthQuestion {
  if (argv.ready === true) return 'ready';
  return argv.live === true ? 'live' : 'health';
}

function healthText(url: string, { status, reasons }: HealthAnswer): string {
  return [`${status.toUpperCase()}  ${url}`, ...reasons.map((reason) => `  ! ${printable(reason)}`)].join('\n');
}

/** In the shape of an answer, so that a program reads `status` and `reasons` in any case. */
function unknown(error: Error): object {
  const code = error instanceof HostspoolError ? error.code : 'INTERNAL';
  return { status: 'unknown', reasons: [error.message], reason_codes: [code] };
}
