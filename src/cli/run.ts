/**
 * `hostspool [--mode=…]`: runs the agent, the writer, or local mode, until it is told to stop.
 *
 * Of the three only the one that runs is imported, and of the commands none: code that never runs costs an agent
 * memory, and its start time.
 */
import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';
import { type LoadedSettings, liveChanges, requireFor } from '../config/load.ts';
import type { CertificateFile } from '../lib/certificate-file.ts';
import { type Clock, SystemClock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import { favourThroughput } from '../lib/throughput.ts';
import { commit, version } from '../lib/version.ts';
import { CertificateEnds } from '../ops/certificate-ends.ts';
import type { Observed } from '../ops/http-answers.ts';
import { HttpEndpoint } from '../ops/http-endpoint.ts';
import { tidyOnceSettled } from '../ops/idle-memory.ts';
import { type LeveledLog, openLog } from '../ops/log.ts';
import { openNotifyChannel } from '../ops/notify.ts';
import { processMetrics } from '../ops/process-metrics.ts';
import type { Service } from '../ops/service.ts';
import { ProcessSignals } from '../ops/shutdown.ts';
import { Supervision } from '../ops/supervision.ts';
import type { SpoolSnapshot } from '../spool/snapshot.ts';
import { settingsFrom, settingsOptions } from './settings-options.ts';
import { statusOptions } from './status-options.ts';

export const runCommand: CommandModule = {
  command: '$0',
  describe: 'Run: as the agent, with --mode=writer from Kafka into a database, with --mode=local without any server.',
  builder: (yargs) =>
    statusOptions(settingsOptions(yargs as Argv))
      .implies('json', 'status')
      .implies('watch', 'status')
      .implies('spool', 'status')
      .option('status', { type: 'boolean', describe: 'Show the spool and exit (as `hostspool status`).' })
      .option('version', { type: 'boolean', describe: 'Show the versions and exit.' }),
  handler: async (argv) => {
    if (argv.version === true) return printVersion();
    if (argv.status === true) return (await import('./status.ts')).runStatus(argv);
    await runService(argv);
  },
};

async function printVersion(): Promise<void> {
  const { sqliteVersion } = await import('../lib/sqlite.ts');
  process.stdout.write(
    `hostspool ${version} (commit ${commit}, Node ${process.versions.node}, SQLite ${sqliteVersion()})\n`,
  );
}

async function runService(argv: ArgumentsCamelCase): Promise<void> {
  const loaded = settingsFrom(argv);
  requireFor(loaded.settings.mode, loaded.settings);
  const log = await openLog(loaded.settings.log);
  for (const warning of loaded.warnings) log.warn({ event: 'settings_warning' }, warning);
  try {
    await serve(argv, loaded, log);
  } catch (error) {
    // It is told on standard error as well; but whoever collects the log should find there why it ends.
    log.error({ event: 'ended_by_error', err: asError(error) });
    throw error;
  }
}

async function serve(argv: ArgumentsCamelCase, loaded: LoadedSettings, log: LeveledLog): Promise<void> {
  let current = loaded;
  let taking: Taking | undefined;
  // A signal that comes before this ends the process as signals do, which is right: nothing is open yet.
  using signals = new ProcessSignals(log, () => {
    if (taking === undefined) return;
    taking.supervision?.reloading();
    current = reload(argv, loaded, current, taking, log);
    taking.supervision?.reloaded();
  });
  const clock = new SystemClock();
  const service = await openService(loaded, clock, log);
  const channel = openNotifyChannel(process.env, log);
  using supervision = channel === undefined ? undefined : new Supervision({ channel, service, clock, log });
  signals.stop.addEventListener('abort', () => supervision?.stopping(), { once: true });
  const observed = observe(service, loaded, () => endpoint.certificates);
  await using endpoint = HttpEndpoint.start(loaded.settings.http, { observed, clock, log });
  taking = { service, endpoint, supervision };
  // A writer's memory follows its load, and is collected with it.
  const takeBack = loaded.settings.mode === 'writer' ? undefined : tidyOnceSettled(clock, log);
  try {
    await service.run(signals.stop);
  } finally {
    takeBack?.();
  }
}

/** Who takes over new settings, and who is told of it. */
interface Taking {
  readonly service: Service;
  readonly endpoint: HttpEndpoint;
  readonly supervision: Supervision | undefined;
}

/** A service that has a spool, and can look at it. */
interface Spooling extends Service {
  look(): SpoolSnapshot | undefined;
}

async function openService({ settings }: LoadedSettings, clock: Clock, log: LeveledLog): Promise<Service | Spooling> {
  switch (settings.mode) {
    case 'agent': {
      const { Agent } = await import('../agent/agent.ts');
      return Agent.open(settings, clock, log);
    }
    case 'local': {
      const { LocalMode } = await import('../local/local-mode.ts');
      return LocalMode.open(settings, clock, log);
    }
    case 'writer': {
      favourThroughput();
      const { openWriter } = await import('../writer/open-writer.ts');
      return openWriter(settings, clock, log);
    }
  }
}

/** What the endpoint tells of a service. */
function observe(
  service: Service | Spooling,
  { settings }: LoadedSettings,
  ofEndpoint: () => readonly CertificateFile[],
): Observed {
  const ends = new CertificateEnds();
  const observed: Observed = {
    condition: () => service.condition(),
    metrics: async () => ({
      ...processMetrics(settings.mode, service.condition(), ends.read([...service.certificates(), ...ofEndpoint()])),
      ...(await service.metrics()),
    }),
  };
  if (!('look' in service)) return observed;
  const status = async () => {
    const { liveStatus } = await import('./status.ts');
    return liveStatus(service.look(), settings.spool.path);
  };
  return { ...observed, status };
}

/** SIGHUP: takes over what can change live; a mistake in the file leaves everything as it was. */
function reload(
  argv: ArgumentsCamelCase,
  started: LoadedSettings,
  current: LoadedSettings,
  { service, endpoint }: Taking,
  log: LeveledLog,
): LoadedSettings {
  try {
    const loaded = settingsFrom(argv);
    requireFor(loaded.settings.mode, loaded.settings);
    const changes = liveChanges(started.settings, current.settings, loaded.settings);
    service.apply(loaded.settings);
    endpoint.apply(loaded.settings.http);
    log.setLevel(loaded.settings.log.level);
    log.info({ event: 'settings_reloaded', changed: Object.keys(changes.live) });
    if (changes.restart.length > 0) {
      log.warn({ event: 'restart_needed', settings: changes.restart }, 'these settings take effect at the next start');
    }
    return loaded;
  } catch (error) {
    log.error({ event: 'reload_failed', err: asError(error) }, 'the settings stay as they were');
    return current;
  }
}
