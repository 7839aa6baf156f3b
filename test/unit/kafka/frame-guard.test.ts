import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { settingsSchema } from '../../../src/config/schema.ts';
import { KafkaProducer } from '../../../src/kafka/producer.ts';
import { SystemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';

/** A fatal alert, unexpected_message. */
const TLS_ALERT = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a]);

/** What a producer makes of something that answers each request with these bytes, and then closes or does not. */
async function sendTo(answer: Buffer | ((request: Buffer) => Buffer), closes = false): Promise<unknown> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (request) => {
      const bytes = typeof answer === 'function' ? answer(request) : answer;
      if (closes) socket.end(bytes);
      else socket.write(bytes);
    });
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
    ['an answer that is cut off', Buffer.from([0, 0, 0, 5, 0, 0, 0, 1, 0])],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a TLS alert', TLS_ALERT],
  ])('that answers with %s costs the attempt, not the process', async (_, answer) => {
    expect(await sendTo(answer)).toMatchObject({ name: 'HostspoolError', code: expect.stringMatching(/^KAFKA_/) });
  });

  it.each([
    ['ends too early', []],
    ['lies about what follows', [0, 0, 0x7f, 0xff, 0xff, 0xff, 1]],
  ])('but frames its answers as Kafka does, of which one %s, is told in a line and with a hint', async (_, said) => {
    const answer = (request: Buffer) =>
      Buffer.concat([Buffer.from([0, 0, 0, 4 + said.length]), request.subarray(8, 12), Buffer.from(said)]);
    expect(await sendTo(answer)).toMatchObject({
      code: 'KAFKA_UNREADABLE',
      message: expect.stringMatching(/^what broker 127\.0\.0\.1:\d+ answers is not Kafka’s protocol$/),
      hint: expect.stringContaining('kafka.brokers'),
      retryable: true,
    });
  });

  it.each([
    ['before it closes', TLS_ALERT],
    ['too late, after it closed', Buffer.alloc(0)],
  ])('but wants TLS says so by the same code, whether its alert comes %s', async (_, answer) => {
    expect(await sendTo(answer, true)).toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      retryable: true,
      hint: expect.stringContaining('kafka.tls.enabled'),
    });
  });

  it('but speaks TLS is told as that where its alert came in time', async () => {
    expect(await sendTo(TLS_ALERT)).toMatchObject({ message: expect.stringContaining('its listener speaks TLS') });
  });
});
