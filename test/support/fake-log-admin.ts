/** Kafka as the operator's commands see it, in memory: one topic, its messages, what a group committed. */
import type { GroupMembers } from '../../src/kafka/admin.ts';
import type { FetchedMessage, LogBounds } from '../../src/kafka/log-session.ts';
import { HostspoolError } from '../../src/lib/errors.ts';
import type { LogAdmin } from '../../src/operate/log-admin.ts';

export function logMessage(offset: number, timestamp: number, text = `message ${offset}`): FetchedMessage {
  return { offset, key: null, timestamp, value: Buffer.from(text), headers: {} };
}

export class FakeLogAdmin implements LogAdmin {
  /** Per partition; offsets without a message are left out. */
  readonly messages = new Map<number, FetchedMessage[]>();
  readonly limits = new Map<number, LogBounds>();
  readonly commits = new Map<number, number>();
  memberCount = 0;
  /** Calls of these reject. */
  readonly failing = new Set<keyof LogAdmin>();

  /** Messages `start` to `end − 1`, a second apart. */
  partition(partition: number, start: number, end: number, since: number): this {
    const offsets = Array.from({ length: end - start }, (_, index) => start + index);
    this.messages.set(
      partition,
      offsets.map((offset) => logMessage(offset, since + (offset - start) * 1000)),
    );
    this.limits.set(partition, { start, end });
    return this;
  }

  async bounds(): Promise<ReadonlyMap<number, LogBounds>> {
    return this.#answer('bounds', this.limits);
  }

  async committed(): Promise<ReadonlyMap<number, number>> {
    return this.#answer('committed', this.commits);
  }

  async members(): Promise<GroupMembers> {
    const members = Array.from({ length: this.memberCount }, () => ({ clientId: 'hostspool', host: '/127.0.0.1' }));
    return this.#answer('members', { state: members.length > 0 ? 'Stable' : 'Empty', members });
  }

  async offsetsAt(_topic: string, time: number): Promise<ReadonlyMap<number, number>> {
    const found = [...this.messages].flatMap(([partition, messages]): [number, number][] => {
      const message = messages.find(({ timestamp }) => timestamp >= time);
      return message === undefined ? [] : [[partition, message.offset]];
    });
    return this.#answer('offsetsAt', new Map(found));
  }

  async messageAt(_topic: string, partition: number, offset: number): Promise<FetchedMessage | undefined> {
    const found = this.messages.get(partition)?.find((message) => message.offset >= offset);
    return this.#answer('messageAt', found);
  }

  async commit(_group: string, _topic: string, offsets: ReadonlyMap<number, number>): Promise<void> {
    this.#answer('commit', undefined);
    for (const [partition, offset] of offsets) this.commits.set(partition, offset);
  }

  #answer<Answer>(call: keyof LogAdmin, answer: Answer): Answer {
    if (this.failing.has(call)) throw new HostspoolError('KAFKA_TIMEOUT', `no answer to ${call}`, { retryable: true });
    return answer;
  }
}
