import { describe, expect, it } from 'vitest';
import type { FollowedMessage } from '../../../src/kafka/follower.ts';
import type { OutgoingMessage } from '../../../src/kafka/producer.ts';
import { SystemClock } from '../../../src/lib/clock.ts';
import { HostspoolError } from '../../../src/lib/errors.ts';
import { type ListOptions, listDeadLetters, showDeadLetter } from '../../../src/operate/dead-letter-list.ts';
import { type ReplayOptions, type ReplayProgress, replayDeadLetters } from '../../../src/operate/dead-letter-replay.ts';
import { EVERYTHING } from '../../../src/operate/dead-letter-selection.ts';
import { deadLetterHeaders } from '../../../src/sample/dead-letter.ts';

const TOPIC = 'server-metrics';
const NOW = Date.UTC(2026, 0, 1);

interface Given {
  readonly offset: number;
  readonly epoch?: number;
  readonly host?: string | null;
  readonly value?: Buffer | null;
  readonly reason?: string;
  readonly code?: string;
  readonly truncated?: number | null;
  readonly own?: Readonly<Record<string, string>>;
}

/** A dead-letter topic in memory, and Kafka's answers to what is sent. */
class Topic {
  readonly records: FollowedMessage[] = [];
  readonly sent: OutgoingMessage[] = [];
  readonly requests: number[] = [];
  readings = 0;
  /** Answers of the next sends; undefined: it is taken. */
  readonly answers: (HostspoolError | undefined)[] = [];
  refuse: (message: OutgoingMessage) => boolean = () => false;

  readonly read = async function* (this: Topic) {
    this.readings++;
    yield* [...this.records];
  }.bind(this);

  letter(given: Given): this {
    const { offset, epoch = 0, host = 'web-1', reason = 'value: not JSON', code = 'SAMPLE_INVALID' } = given;
    const headers = deadLetterHeaders({
      origin: { topic: TOPIC, partition: 0, epoch, offset },
      reason,
      code,
      timestamp: NOW - 1000,
      truncated_from: given.truncated ?? null,
    });
    this.#append({
      key: host === null ? null : host,
      value: given.value === undefined ? Buffer.from(`poison ${offset}`) : given.value,
      headers: { ...given.own, ...headers },
    });
    return this;
  }

  async send(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    const answer = this.answers.shift();
    if (answer !== undefined) throw answer;
    if (messages.some(this.refuse)) throw new HostspoolError('KAFKA_MESSAGE_TOO_LARGE', 'too large');
    this.requests.push(messages.length);
    for (const message of messages) {
      if (topic === TOPIC) this.sent.push(message);
      else this.#append(message);
    }
  }

  #append({ key, value, headers = {} }: OutgoingMessage): void {
    this.records.push({
      partition: 0,
      offset: this.records.length,
      key: key === null ? null : Buffer.from(key),
      timestamp: NOW + this.records.length * 1000,
      value: value === null ? null : Buffer.from(value),
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, each]) => [
          name,
          Array.isArray(each) ? each : [Buffer.from(each as string)],
        ]),
      ),
    });
  }
}

function list(topic: Topic, change: Partial<ListOptions> = {}) {
  return listDeadLetters({
    topic: TOPIC,
    read: topic.read,
    selection: EVERYTHING,
    pendingOnly: false,
    limit: 100,
    ...change,
  });
}

function replay(topic: Topic, change: Partial<ReplayOptions> = {}, signal = new AbortController().signal) {
  const options: ReplayOptions = {
    topic: TOPIC,
    read: topic.read,
    send: (to, messages) => topic.send(to, messages),
    selection: EVERYTHING,
    again: false,
    dryRun: false,
    requestBytes: 1 << 20,
    backoff: { base: 1, cap: 2 },
    patience: 60_000,
    clock: new SystemClock(),
    progress: () => undefined,
    ...change,
  };
  return replayDeadLetters(options, signal);
}

const origins = async (topic: Topic, change: Partial<ListOptions> = {}) =>
  (await list(topic, change)).entries.map(({ origin }) => origin);
const selecting = (change: Partial<ListOptions['selection']>) => ({ selection: { ...EVERYTHING, ...change } });
const passing = () => new HostspoolError('KAFKA_UNREACHABLE', 'no broker', { retryable: true });

describe('the list of dead letters', () => {
  it('has each once, however often it is in the topic, the newest first', async () => {
    const topic = new Topic().letter({ offset: 5 }).letter({ offset: 6, epoch: 1 }).letter({ offset: 5 });
    const report = await list(topic);
    expect(report).toMatchObject({ topic: 'server-metrics.dlq', count: 2, replayed: 0, foreign: 0, selected: 2 });
    expect(report.entries).toEqual([
      {
        origin: '0:5',
        host: 'web-1',
        code: 'SAMPLE_INVALID',
        reason: 'value: not JSON',
        sent_at: '2025-12-31T23:59:59.000Z',
        dead_at: '2026-01-01T00:00:02.000Z',
        times: 2,
        replayed: false,
        truncated: false,
        bytes: 8,
      },
      expect.objectContaining({ origin: '0:6@1', times: 1, dead_at: '2026-01-01T00:00:01.000Z' }),
    ]);
  });

  it('takes the host from the message, else from the key, else from nowhere', async () => {
    const said = { host: 'key-1', value: Buffer.from('{"hostname":"said-1","cpu_percent":"x"}') };
    const topic = new Topic()
      .letter({ offset: 1, ...said })
      .letter({ offset: 2, host: 'key-2' })
      .letter({ offset: 3, host: '\u001b[31m' })
      .letter({ offset: 4, host: null, value: null });
    expect((await list(topic)).entries.map(({ host }) => host)).toEqual([null, null, 'key-2', 'said-1']);
    expect(await origins(topic, selecting({ host: 'said-1' }))).toEqual(['0:1']);
    expect(await origins(topic, selecting({ host: 'key-2' }))).toEqual(['0:2']);
  });

  it('is cut down by reason, code, time and origin', async () => {
    const topic = new Topic()
      .letter({ offset: 1 })
      .letter({ offset: 2, reason: 'cpu_percent: not a Number', code: 'SAMPLE_INVALID' })
      .letter({ offset: 3, reason: 'refused', code: 'SINK_DATA' });
    expect(await origins(topic, selecting({ reason: 'CPU_percent' }))).toEqual(['0:2']);
    expect(await origins(topic, selecting({ reason: 'SINK_DATA' }))).toEqual(['0:3']);
    expect(await origins(topic, selecting({ since: NOW + 1000 }))).toEqual(['0:3', '0:2']);
    expect(await origins(topic, selecting({ origins: new Set(['0:1', '0:9']) }))).toEqual(['0:1']);
    expect(await list(topic, { limit: 1 })).toMatchObject({ selected: 3, entries: [{ origin: '0:3' }] });
  });

  it('keeps no more than is asked for of a topic with many, and finds the newest', async () => {
    const topic = new Topic();
    for (let offset = 0; offset < 1000; offset++) topic.letter({ offset });
    topic.letter({ offset: 3 });
    expect(await origins(topic, { limit: 3 })).toEqual(['0:3', '0:999', '0:998']);
    expect((await list(topic, { limit: 1 })).entries[0]?.times).toBe(2);
  });

  it('goes by the newest of those that tell the same, in whatever order its partitions bring them', async () => {
    const topic = new Topic().letter({ offset: 1 }).letter({ offset: 1 });
    topic.records.reverse();
    expect((await list(topic)).entries).toMatchObject([{ times: 2, dead_at: '2026-01-01T00:00:01.000Z' }]);
  });

  it('takes the later of two that came at the same time for the newer', async () => {
    const topic = new Topic().letter({ offset: 1 }).letter({ offset: 2 }).letter({ offset: 3 });
    for (const [index, record] of topic.records.entries()) topic.records[index] = { ...record, timestamp: NOW };
    expect(await origins(topic, { limit: 2 })).toEqual(['0:3', '0:2']);
  });

  it('counts what others have put there, and shows it not', async () => {
    const topic = new Topic().letter({ offset: 1 });
    const other = { topic: 'another', partition: 0, epoch: 0, offset: 2 };
    const headers = deadLetterHeaders({ origin: other, reason: '', code: '', timestamp: null, truncated_from: null });
    await topic.send('dlq', [
      { key: null, value: 'x' },
      { key: null, value: 'x', headers },
    ]);
    expect(await list(topic)).toMatchObject({ count: 1, foreign: 2, entries: [{ origin: '0:1' }] });
  });

  it('shows one whole', async () => {
    const topic = new Topic().letter({ offset: 1, truncated: 99, own: { trace: 'a' } });
    const detail = await showDeadLetter(TOPIC, topic.read, '0:1');
    expect(detail).toMatchObject({ truncated_from: 99, line: { origin: '0:1', truncated: true } });
    expect(detail.message.headers.trace).toEqual([Buffer.from('a')]);
    await expect(showDeadLetter(TOPIC, topic.read, '0:2')).rejects.toMatchObject({ code: 'DEAD_LETTER_UNKNOWN' });
  });
});

describe('a replay', () => {
  it('sends each back once as it came, and marks it', async () => {
    const value = Buffer.from([0xff, 0x00, 0x01]);
    const topic = new Topic()
      .letter({ offset: 1, value, own: { trace: 'a' } })
      .letter({ offset: 2, host: null, value: null })
      .letter({ offset: 1, value });
    expect(await replay(topic)).toMatchObject({ replayed: 2, before: 0, left: 0, unmarked: 0 });
    expect(topic.sent).toEqual([
      { key: Buffer.from('web-1'), value, headers: { trace: [Buffer.from('a')] } },
      { key: null, value: null, headers: {} },
    ]);
    expect(topic.records.slice(3).map(({ key, value }) => [key?.toString(), value])).toEqual([
      ['0:1', null],
      ['0:2', null],
    ]);
    const report = await list(topic);
    expect(report).toMatchObject({ count: 2, replayed: 2, foreign: 0 });
    expect(report.entries.every(({ replayed }) => replayed)).toBe(true);
    expect(await origins(topic, { pendingOnly: true })).toEqual([]);
  });

  it('leaves what was sent back before, unless it is asked to do it again', async () => {
    const topic = new Topic().letter({ offset: 1 });
    await replay(topic);
    topic.letter({ offset: 2 });
    expect(await replay(topic)).toMatchObject({ replayed: 1, before: 1 });
    expect(await replay(topic, { again: true })).toMatchObject({ replayed: 2, before: 0 });
    expect(topic.sent).toHaveLength(4);
  });

  it('sends only what is selected; an origin that is not there is an error before anything is sent', async () => {
    const topic = new Topic().letter({ offset: 1 }).letter({ offset: 2, host: 'web-2' });
    expect(await replay(topic, selecting({ host: 'web-2' }))).toMatchObject({ replayed: 1 });
    expect(topic.sent.map(({ key }) => String(key))).toEqual(['web-2']);
    await expect(replay(topic, selecting({ origins: new Set(['0:1', '3:3']) }))).rejects.toMatchObject({
      code: 'DEAD_LETTER_UNKNOWN',
      message: expect.stringContaining('3:3'),
    });
    expect(topic.sent).toHaveLength(1);
  });

  it('leaves what is not whole', async () => {
    const topic = new Topic().letter({ offset: 1, truncated: 5_000_000 }).letter({ offset: 2 });
    expect(await replay(topic)).toMatchObject({ replayed: 1, truncated: 1, left: 0 });
    expect(topic.sent).toHaveLength(1);
  });

  it('sends nothing in a dry run, and says what it would', async () => {
    const topic = new Topic().letter({ offset: 1 }).letter({ offset: 2 });
    expect(await replay(topic, { dryRun: true })).toMatchObject({ replayed: 2 });
    expect([topic.sent.length, topic.records.length]).toEqual([0, 2]);
  });

  it('keeps requests small', async () => {
    const topic = new Topic();
    for (let offset = 0; offset < 5; offset++) topic.letter({ offset, value: Buffer.alloc(400) });
    await replay(topic, { requestBytes: 1000 });
    expect(topic.requests).toEqual([2, 2, 2, 2, 1, 1]);
  });

  it('repeats what failed and may pass, and tells of it meanwhile', async () => {
    const topic = new Topic().letter({ offset: 1 });
    topic.answers.push(passing(), passing(), undefined, passing());
    const told: ReplayProgress[] = [];
    expect(await replay(topic, { progress: (now) => told.push(now) })).toMatchObject({ replayed: 1, unmarked: 0 });
    expect(topic.sent).toHaveLength(1);
    expect(topic.records).toHaveLength(2);
    expect(told.map(({ done, error }) => [done, error])).toEqual([
      [0, undefined],
      [0, 'no broker'],
      [0, 'no broker'],
      [1, 'no broker'],
      [1, undefined],
    ]);
  });

  it('gives up when nothing is acknowledged for too long, and says what is left', async () => {
    const topic = new Topic().letter({ offset: 1 }).letter({ offset: 2 });
    topic.answers.push(passing());
    const result = await replay(topic, { patience: 0 });
    expect(result).toMatchObject({ replayed: 0, left: 2, lastError: { code: 'KAFKA_UNREACHABLE' } });
  });

  it('says so when it could not mark what it sent', async () => {
    const topic = new Topic().letter({ offset: 1 });
    topic.answers.push(undefined, passing());
    expect(await replay(topic, { patience: 0 })).toMatchObject({ replayed: 1, unmarked: 1, left: 0 });
    expect(await replay(topic)).toMatchObject({ replayed: 1, before: 0 });
  });

  it('sends one by one what Kafka refuses together, and leaves what it refuses alone', async () => {
    const topic = new Topic().letter({ offset: 1 }).letter({ offset: 2 }).letter({ offset: 3 });
    topic.refuse = ({ value }) => value?.toString() === 'poison 2';
    expect(await replay(topic)).toMatchObject({ replayed: 2, refused: 1, left: 0 });
    expect(topic.sent.map(({ value }) => String(value))).toEqual(['poison 1', 'poison 3']);
    expect(await origins(topic, { pendingOnly: true })).toEqual(['0:2']);
  });

  it('throws what does not pass', async () => {
    const topic = new Topic().letter({ offset: 1 });
    topic.answers.push(new HostspoolError('KAFKA_AUTHORIZATION', 'not allowed'));
    await expect(replay(topic)).rejects.toMatchObject({ code: 'KAFKA_AUTHORIZATION' });
  });

  it('stops when it is told to, between two requests, and nothing is marked that was not sent', async () => {
    const topic = new Topic();
    for (let offset = 0; offset < 4; offset++) topic.letter({ offset, value: Buffer.alloc(400) });
    const stop = new AbortController();
    const result = await replay(
      topic,
      {
        requestBytes: 500,
        progress: ({ done }) => {
          if (done === 2) stop.abort();
        },
      },
      stop.signal,
    );
    expect(result).toMatchObject({ replayed: 2, left: 2 });
    expect(topic.sent).toHaveLength(2);
    expect(await list(topic)).toMatchObject({ replayed: 2 });
  });

  it('takes a send that the stop breaks off for no failure', async () => {
    const topic = new Topic().letter({ offset: 1 });
    const stop = new AbortController();
    const send = async () => {
      stop.abort();
      throw new HostspoolError('KAFKA_ABORTED', 'broken off', { retryable: true });
    };
    expect(await replay(topic, { send }, stop.signal)).toMatchObject({ replayed: 0, left: 1, lastError: undefined });
  });

  it('does not follow what it causes itself: a message that fails again is a new dead letter', async () => {
    const topic = new Topic().letter({ offset: 1 });
    let next = 100;
    const send = async (to: string, messages: readonly OutgoingMessage[]) => {
      await topic.send(to, messages);
      if (to === TOPIC) for (const _ of messages) topic.letter({ offset: next++ });
    };
    expect(await replay(topic, { send })).toMatchObject({ replayed: 1 });
    expect(await origins(topic, { pendingOnly: true })).toEqual(['0:100']);
  });
});
