/**
 * How full the root filesystem is. A sample needs it: while statfs on it does not return there is no sample, since
 * the last value known would be a claim about now that nobody checked.
 *
 * The first answer also says what kind of filesystem it is. The common kinds on a disk answer from memory: those are
 * asked at once from then on, which spares each sample a thread, a wake-up and a turn of the event loop. Any other may
 * keep its caller waiting, and is asked from a thread each time.
 */
import { HostspoolError } from '../lib/errors.ts';
import type { Collector, Fields, SlowCollector, SlowResult } from './collector.ts';
import type { Deadline } from './deadline.ts';
import { answersAtOnce, type FilesystemUsage, type StatfsCalls, type StatfsNow } from './statfs-calls.ts';
import { usageOf } from './usage.ts';

export class RootFilesystemCollector implements SlowCollector {
  readonly name = 'root_filesystem';
  readonly #calls: StatfsCalls;
  readonly #statfsNow: StatfsNow | undefined;
  readonly #path: string;
  #atOnce: Collector | undefined;

  /** Without `statfsNow` it is asked from a thread whatever it is. */
  constructor(calls: StatfsCalls, statfsNow: StatfsNow | undefined, path: string) {
    this.#calls = calls;
    this.#statfsNow = statfsNow;
    this.#path = path;
  }

  /** The same without waiting; undefined where it may have to wait. */
  get atOnce(): Collector | undefined {
    return this.#atOnce;
  }

  async collect(deadline: Deadline): Promise<SlowResult> {
    const call = this.#calls.start(this.#path);
    const answer = call === undefined ? undefined : await deadline.answerOf(call);
    if (answer === undefined) {
      const stuck = [...this.#calls.outstanding].join(', ');
      throw new HostspoolError('COLLECT_STUCK', `statfs of ${this.#path} does not return (outstanding: ${stuck})`, {
        hint: 'a filesystem does not answer: a dead network mount, or a failing disk',
        retryable: true,
      });
    }
    return { fields: this.#fields(answer) };
  }

  #fields(answer: FilesystemUsage): Fields {
    const statfsNow = answersAtOnce(answer) ? this.#statfsNow : undefined;
    if (statfsNow === undefined) this.#atOnce = undefined;
    else this.#atOnce ??= { name: this.name, collect: () => this.#fields(statfsNow(this.#path)), close: () => {} };
    const usage = usageOf(answer);
    if (usage === undefined) {
      throw new HostspoolError('COLLECT_GARBLED', `statfs of ${this.#path} gives no sizes`, { retryable: true });
    }
    return { disk_percent: usage.percent, disk_used_gb: usage.used, disk_total_gb: usage.total };
  }

  close(): void {}
}
