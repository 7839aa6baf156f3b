/** What the commands of the centre open of Kafka and the database, and close behind them. */
import { type ResolvedSettings, requireFor } from '../config/load.ts';
import { KafkaAdmin } from '../kafka/admin.ts';
import { type Clock, SystemClock } from '../lib/clock.ts';
import { printableJson } from '../lib/printable.ts';
import { isDatabaseConfigured, openConfiguredDatabase } from '../operate/configured-database.ts';
import type { OpenOffsets } from '../operate/positions.ts';
import { type LeveledLog, openLog } from '../ops/log.ts';
import type { SampleDatabase } from '../sink/sample-database.ts';
import type { LogReader } from '../sink/sink.ts';
import type { Arguments } from './argument-values.ts';
import { settingsFrom } from './settings-options.ts';

export class Centre implements AsyncDisposable {
  readonly settings: ResolvedSettings;
  readonly log: LeveledLog;
  readonly clock: Clock = new SystemClock();
  #kafka: KafkaAdmin | undefined;
  #database: SampleDatabase | undefined;

  private constructor(settings: ResolvedSettings, log: LeveledLog) {
    this.settings = settings;
    this.log = log;
  }

  /** Connects to nothing yet. Throws what is wrong with the settings. */
  static async open(argv: Arguments, need: 'kafka' | 'database'): Promise<Centre> {
    const { settings } = settingsFrom(argv);
    if (need === 'kafka') requireFor('kafka', settings);
    // Standard output is for what was asked.
    const level = settings.log.level === 'info' ? 'error' : settings.log.level;
    return new Centre(settings, await openLog({ ...settings.log, level }, process.stderr));
  }

  get reader(): LogReader {
    const { group, topic } = this.settings.kafka;
    return { group, topic };
  }

  get kafka(): KafkaAdmin {
    this.#kafka ??= KafkaAdmin.create(this.settings.kafka, this.log, this.clock);
    return this.#kafka;
  }

  get database(): SampleDatabase {
    this.#database ??= openConfiguredDatabase(this.settings, this.log);
    return this.#database;
  }

  /** null: the settings name no database. */
  get offsets(): OpenOffsets {
    return isDatabaseConfigured(this.settings) ? async () => this.database : null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kafka?.close();
    await this.#database?.close();
  }
}

export function writeJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value, undefined, 2))}\n`);
}
