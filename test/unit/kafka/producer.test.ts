/** What the producer does without any broker: time limits and ends, on a clock of the test's own. */
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settingsSchema } from '../../../src/config/schema.ts';
import { KafkaProducer } from '../../../src/kafka/producer.ts';
import { type Clock, SystemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';

/** Timers fire when the test says so. */
class HeldClock extends SystemClock {
  readonly sleeps: { ms: number; wake: () => void }[] = [];

  override after(ms: number, wake: () => void): () => void {
    this.sleeps.push({ ms, wake });
    return () => undefined;
  }
}

const one = [{ key: 'web-1', value: '{}' }];
let silent: Server;
let accepted: Socket[];

beforeEach(async () => {
  accepted = [];
  silent = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.resume();
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  for (const socket of accepted) socket.destroy();
  silent.close();
});

function producer(clock: Clock): KafkaProducer {
  const { port } = silent.address() as { port: number };
  const kafka = { brokers: `127.0.0.1:${port}`, request_timeout: '7s' };
  return KafkaProducer.create(settingsSchema.parse({ kafka }).kafka, silentLog, clock);
}

describe('the producer', () => {
  it('connects to nothing before its first send', async () => {
    const idle = producer(new HeldClock());
    await idle.send('any', []);
    await idle.close();
    expect(accepted).toEqual([]);
  });

  it('gives up on a server that never answers when its time limit is over, and drops the connection', async () => {
    const clock = new HeldClock();
    const sender = producer(clock);
    const sending = sender.send('any', one).catch((error) => error);
    await expect.poll(() => accepted.length).toBe(1);
    expect(clock.sleeps.map(({ ms }) => ms)).toEqual([7000]);
    clock.sleeps[0]?.wake();
    expect(await sending).toMatchObject({
      code: 'KAFKA_TIMEOUT',
      retryable: true,
      message: expect.stringContaining('7s'),
    });
    await expect.poll(() => accepted[0]?.destroyed).toBe(true);
    await sender.close();
  });

  it('makes a new connection for the next send after that', async () => {
    const clock = new HeldClock();
    const sender = producer(clock);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const sending = sender.send('any', one).catch((error) => error);
      await expect.poll(() => accepted.length).toBe(attempt);
      clock.sleeps.at(-1)?.wake();
      await sending;
    }
    await sender.close();
  });

  it('rejects at once when the signal aborts, also one that waits behind another', async () => {
    const sender = producer(new HeldClock());
    const first = new AbortController();
    const second = new AbortController();
    const sends = [first, second].map(({ signal }) => sender.send('any', one, signal).catch((error) => error.code));
    await expect.poll(() => accepted.length).toBe(1);
    second.abort();
    first.abort();
    expect(await Promise.all(sends)).toEqual(['KAFKA_ABORTED', 'KAFKA_ABORTED']);
    expect(accepted).toHaveLength(1);
    await sender.close();
  });

  it('has one send under way at a time', async () => {
    const clock = new HeldClock();
    const sender = producer(clock);
    const sends = [1, 2].map(() => sender.send('any', one).catch((error) => error.code));
    await expect.poll(() => accepted.length).toBe(1);
    expect(clock.sleeps).toHaveLength(1);
    clock.sleeps[0]?.wake();
    await expect.poll(() => clock.sleeps.length).toBe(2);
    clock.sleeps[1]?.wake();
    expect(await Promise.all(sends)).toEqual(['KAFKA_TIMEOUT', 'KAFKA_TIMEOUT']);
    await sender.close();
  });

  it('ends what is under way when it is closed, and sends nothing after', async () => {
    const sender = producer(new HeldClock());
    const sending = sender.send('any', one).catch((error) => error.code);
    await expect.poll(() => accepted.length).toBe(1);
    await sender.close();
    expect(await sending).toBe('KAFKA_ABORTED');
    await expect(sender.send('any', one)).rejects.toMatchObject({ code: 'KAFKA_ABORTED' });
    await expect.poll(() => accepted.every((socket) => socket.destroyed)).toBe(true);
  });
});
