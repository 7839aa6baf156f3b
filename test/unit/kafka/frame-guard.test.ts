import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { settingsSchema } from '../../../src/config/schema.ts';
import { KafkaProducer } from '../../../src/kafka/producer.ts';
import { SystemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';

/** What a producer makes of something that answers each request with these bytes. */
async function sendTo(answer: Buffer): Promise<unknown> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const limits = { connect_timeout: '5s', request_timeout: '5s' };
  const settings = settingsSchema.parse({ kafka: { brokers: `127.0.0.1:${port}`, ...limits } }).kafka;
  const producer = KafkaProducer.create(settings, silentLog, new SystemClock());
  try {
    return await producer.send('t', [{ key: 'k', value: 'v' }]).catch((error: unknown) => error);
  } finally {
    await producer.close();
    server.close();
  }
}

describe('something that is not a broker', () => {
  it.each([
    ['a length of nothing', Buffer.alloc(4)],
    ['a frame too short for its number', Buffer.from([0, 0, 0, 2, 97, 98])],
    ['a negative length', Buffer.alloc(8, 0xff)],
    ['a length beyond reason', Buffer.concat([Buffer.from([0x7f, 0xff, 0xff, 0xf0]), Buffer.alloc(100_000)])],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('that answers with %s costs the attempt, not the process', async (_, answer) => {
    expect(await sendTo(answer)).toMatchObject({ name: 'HostspoolError', code: expect.stringMatching(/^KAFKA_/) });
  });
});
