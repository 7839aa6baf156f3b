/**
 * Tells Kafka how far the database is, for tools that look at a group's lag. Nothing depends on it: the database's
 * offsets count. So one commit is under way at a time, the newest offsets wait behind it, and a failure is nothing.
 */
import type { GroupSession } from '../kafka/log-session.ts';
import { asError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

export class KafkaCommits {
  readonly #session: Pick<GroupSession, 'commit'>;
  readonly #log: Log;
  #waiting = new Map<number, number>();
  #running: Promise<void> | undefined;

  constructor(session: Pick<GroupSession, 'commit'>, log: Log) {
    this.#session = session;
    this.#log = log;
  }

  put(partition: number, next: number): void {
    this.#waiting.set(partition, next);
  }

  /** Commits what was put, behind what is under way; never rejects. */
  flush(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0) {
      const offsets = this.#waiting;
      this.#waiting = new Map();
      try {
        await this.#session.commit(offsets);
      } catch (error) {
        this.#log.debug({ event: 'kafka_commit_failed', err: asError(error) });
      }
    }
    this.#running = undefined;
  }
}
