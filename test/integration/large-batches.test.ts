/** The writer against the real broker, with record batches that are larger than what one partition is asked for. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createTopic } from '../support/broker.ts';
import { testBroker, uniqueTopic } from '../support/broker-client.ts';
import { Scratch, until } from '../support/executable.ts';
import { LocalWriter, rowsIn, runsOf, sampleOf, send, sumsIn } from '../support/local-writer.ts';

const { addresses, missing } = testBroker();
const { bootstrap } = addresses;
const EACH = 6;

describe.skipIf(missing !== undefined)(`large batches from a broker${missing ? ` (skipped: ${missing})` : ''}`, () => {
  it('come from every partition of a leader, however many it has', async () => {
    using scratch = new Scratch();
    const topic = uniqueTopic('large');
    await createTopic(bootstrap, topic, { partitions: 2, config: { 'max.message.bytes': '8000000' } });
    for (const [partition, run] of runsOf(2).entries()) {
      for (let seq = 1; seq <= EACH; seq++) {
        const value = JSON.stringify({ ...sampleOf(run, seq), more: randomBytes(1_500_000).toString('base64') });
        await send(bootstrap, topic, [{ key: run.hostname, value, partition }]);
      }
    }
    await using _writer = new LocalWriter(bootstrap, scratch, topic);
    await until(() => rowsIn(scratch) === 2 * EACH, 'all rows are there');
    expect(sumsIn(scratch)).toEqual({ received: 2 * EACH, lost: 0, missing: 0 });
  });
});
