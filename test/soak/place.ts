/**
 * What a soak runs: an agent and a writer with a broker and a database between and behind them, and local mode, which
 * needs neither. All at twenty times the default rate, each with its HTTP endpoint.
 */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StormDatabase } from '../storm/database.ts';
import { StormProcess } from '../storm/process.ts';
import { Broker } from '../support/broker.ts';
import { executable, type LogLine } from '../support/executable.ts';
import { freePort } from '../support/proxy.ts';

export interface Soaked {
  readonly process: StormProcess;
  /** Where it answers over HTTP. */
  readonly port: number;
  /** The counter that says that it works. */
  readonly works: string;
  /** A database of its own that grows with each sample, and of which SQLite keeps pages in memory. */
  readonly grows?: string;
  /** What it logged as an error. */
  readonly errors: readonly string[];
}

const TOPIC = 'soak-metrics';
/** The default is 5 s. */
const INTERVAL = '250ms';

export class Place implements AsyncDisposable {
  readonly soaked: readonly Soaked[];
  readonly database: StormDatabase;
  readonly #broker: Broker;

  private constructor(soaked: readonly Soaked[], database: StormDatabase, broker: Broker) {
    this.soaked = soaked;
    this.database = database;
    this.#broker = broker;
  }

  static async open(
    directory: string,
    openDatabase: (directory: string, writers: number) => Promise<StormDatabase>,
  ): Promise<Place> {
    await using opened = new AsyncDisposableStack();
    const broker = opened.use(await Broker.start());
    await broker.createTopic(TOPIC, { partitions: 2 });
    const database = opened.use(await openDatabase(directory, 1));
    // A build that is made meanwhile must not take it away.
    const copy = join(directory, 'hostspool');
    copyFileSync(executable, copy);
    const start = async (name: string, works: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
      const port = await freePort();
      const log = join(directory, `${name}.log`);
      const all = ['--config=/dev/null', `--http.address=127.0.0.1:${port}`, ...args];
      const errors: string[] = [];
      const onLine = (line: LogLine) => {
        // A busy machine answers too late now and then; too many of them show in what was done.
        if (line.level === 'error' && line.event !== 'sample_failed')
          errors.push(`${name} logged ${JSON.stringify(line)}`);
      };
      const process = new StormProcess({ name, log, args: all, env, executable: copy, onLine });
      return { process, port, works, errors };
    };
    const spooling = (name: string) => [
      `--collect.interval=${INTERVAL}`,
      `--spool.path=${join(directory, name, 'spool.db')}`,
      '--spool.min_free=0',
    ];
    const kafka = [`--kafka.brokers=${broker.bootstrap}`, `--kafka.topic=${TOPIC}`];
    const { args, env = {} } = database.settings(0);
    const soaked = [
      await start('agent', 'hostspool_messages_sent_total', [...kafka, ...spooling('agent')]),
      await start('writer', 'hostspool_rows_inserted_total', ['--mode=writer', ...kafka, ...args], env),
      {
        ...(await start('local', 'hostspool_rows_inserted_total', ['--mode=local', ...spooling('local')])),
        grows: join(directory, 'local', 'metrics.db'),
      },
    ];
    opened.move();
    return new Place(soaked, database, broker);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.soaked.map(({ process }) => process.close()));
    await this.database[Symbol.asyncDispose]();
    await this.#broker[Symbol.asyncDispose]();
  }
}
