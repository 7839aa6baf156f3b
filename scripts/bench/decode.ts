/**
 * What a message costs the writer before its database, and a sample the drain after its spool: in this process, on one
 * core, CPU time by the kernel's account. Beside each, in turns, what is nearest to it in others' code. No broker: the
 * bytes of a fetch are made here.
 */

/**
 * What a message costs the writer before its database, and a sample the drain after its spool: in this process, on one
 * core, CPU time by the kernel's account. Beside each, in turns, what is nearest to it in others' code. No broker: the
 * bytes of a fetch are made here.
 */
import kafkajs, { CompressionTypes } from 'kafkajs';
import v7 from 'kafkajs/src/protocol/requests/produce/v7/request.js';
import snappyCodec from 'kafkajs-snappy';
import { lastTaken } from '../../src/kafka/evidence.ts';
import { decodeRecords } from '../../src/kafka/record-batches.ts';
import { encodeBatch } from '../../src/kafka/record-encoding.ts';
import { decodeMessage } from '../../src/sample/decode.ts';
import { decodeChunk } from '../../src/writer/chunk.ts';
import { compose } from '../../src/writer/compose.ts';
import { fleetSamples } from '../../test/support/fleet.ts';
import { type Row, ratios, row, show } from './table.ts';

export interface DecodeBench {
  readonly messages: number;
  readonly rounds: number;
}

const BATCH = 500;
/** Rounds before the first that counts: until then V8 compiles. */
const WARM_UP = 5;

export async function benchDecode({ messages, rounds }: DecodeBench): Promise<Row[]> {
  show('decode and encode');
  kafkajs.CompressionCodecs[CompressionTypes.Snappy] = snappyCodec;
  const samples = [...fleetSamples(50, messages)];
  const values = samples.map(({ value }) => Buffer.from(value));
  const lists = Array.from({ length: Math.ceil(messages / BATCH) }, (_, n) =>
    samples.slice(n * BATCH, (n + 1) * BATCH),
  );
  const now = Date.now();
  const batches: Buffer[] = [];
  for (const list of lists) batches.push(await encodeBatch(list, now, CompressionTypes.Snappy));

  const tasks = {
    decode: () => {
      for (const value of values) decodeMessage(value);
    },
    parse: () => {
      for (const value of values) JSON.parse(value.toString());
    },
    path: async () => {
      for (const batch of batches) await fetchedToRows(batch);
    },
    encode: async () => {
      for (const list of lists) await encodeBatch(list, now, CompressionTypes.Snappy);
    },
    theirs: async () => {
      const timestamp = String(now);
      for (const list of lists) {
        const partitions = [{ partition: 0, messages: list.map((message) => ({ ...message, timestamp })) }];
        const topicData = [{ topic: 'metrics', partitions }];
        await v7({ acks: -1, timeout: 1000, compression: CompressionTypes.Snappy, topicData }).encode();
      }
    },
  };
  const cpu = new Map<string, number[]>(Object.keys(tasks).map((name) => [name, []]));
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const [name, task] of Object.entries(tasks)) {
      const before = process.cpuUsage();
      await task();
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) cpu.get(name)?.push((user + system) / messages);
    }
  }
  const of = (name: keyof typeof tasks) => cpu.get(name) ?? [];
  const rates = of('path').map((us) => 1e6 / us);
  const parse = { peer: 'JSON.parse alone' };
  return [
    row('decode', 'CPU µs/message: decode and validate', of('decode'), {
      ...parse,
      ratios: ratios(of('decode'), of('parse')),
    }),
    row('decode', 'CPU µs/message: unpack, decode, validate, batch', of('path'), {
      ...parse,
      ratios: ratios(of('path'), of('parse')),
      aim: '5',
    }),
    row('decode', 'messages/s of CPU: the same', rates, { aim: '200,000' }),
    row('encode', 'CPU µs/sample: record batch, Snappy, checksum', of('encode'), {
      peer: 'kafkajs and kafkajs-snappy',
      ratios: ratios(of('encode'), of('theirs')),
    }),
  ];
}

/** From what a fetch brought to what a load takes, as the writer does it. */
async function fetchedToRows(batch: Buffer): Promise<number> {
  const { messages, next } = await decodeRecords(batch, 0, []);
  const last = messages.at(-1);
  if (last === undefined) throw new Error('an empty batch');
  const chunk = decodeChunk(0, messages, lastTaken(last), 0);
  const slices = [{ chunk, from: 0, to: messages.length }];
  const evidence = chunk.evidence;
  const move = { partition: 0, expected: null, epoch: 0, next, evidence, began_at: 0 };
  const part = { partition: 0, move, slices, holes: [], epoch: 0, next, evidence, messages: messages.length, bytes: 0 };
  return compose({ parts: [part], oldestAt: 0, messages: messages.length, bytes: 0 }, 0).rows.length;
}
