/**
 * How full the root filesystem is. A sample needs it: while statfs on it does not return there is no sample, since
 * the last value known would be a claim about now that nobody checked.
 */
import { HostspoolError } from '../lib/errors.ts';
import type { SlowCollector, SlowResult } from './collector.ts';
import type { Deadline } from './deadline.ts';
import type { StatfsCalls } from './statfs-calls.ts';
import { usageOf } from './usage.ts';

export class RootFilesystemCollector implements SlowCollector {
  readonly name = 'root_filesystem';
  readonly #calls: StatfsCalls;
  readonly #path: string;

  constructor(calls: StatfsCalls, path: string) {
    this.#calls = calls;
    this.#path = path;
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
    const usage = usageOf(answer);
    if (usage === undefined) {
      throw new HostspoolError('COLLECT_GARBLED', `statfs of ${this.#path} gives no sizes`, { retryable: true });
    }
    return { fields: { disk_percent: usage.percent, disk_used_gb: usage.used, disk_total_gb: usage.total } };
  }

  close(): void {}
}
