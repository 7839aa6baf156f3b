/** The writer while the topic and the group change under it, against the real broker. */
import { describe, expect, it } from 'vitest';
import { createTopic, withAdmin } from '../support/broker.ts';
import { testBroker, uniqueTopic } from '../support/broker-client.ts';
import { Scratch, until } from '../support/executable.ts';
import { LocalWriter, query, rowsIn, runsOf, samples, send, sumsIn } from '../support/local-writer.ts';

const { addresses, missing } = testBroker();
const { bootstrap } = addresses;

async function recreate(topic: string, partitions: number): Promise<void> {
  await withAdmin(bootstrap, (admin) => admin.deleteTopics({ topics: [topic] }));
  await until(async () => {
    try {
      await createTopic(bootstrap, topic, { partitions });
      return true;
    } catch {
      return false;
    }
  }, 'the topic is there again');
}

describe.skipIf(missing !== undefined)(`a writer under change${missing ? ` (skipped: ${missing})` : ''}`, () => {
  for (const when of ['while it runs', 'while it is away'] as const) {
    it(`reads a topic that was made anew and has grown past the old offset from its beginning, ${when}`, async () => {
      using scratch = new Scratch();
      const topic = uniqueTopic('anew');
      await createTopic(bootstrap, topic);
      const runs = runsOf(5);
      await send(bootstrap, topic, samples(runs, 4));
      let writer = new LocalWriter(bootstrap, scratch, topic);
      await until(() => rowsIn(scratch) === 20, 'the old ones are there');
      if (when === 'while it is away') await writer.stop();
      await recreate(topic, 1);
      await send(bootstrap, topic, samples(runs, 10, 5));
      if (when === 'while it is away') writer = new LocalWriter(bootstrap, scratch, topic);
      await until(() => rowsIn(scratch) === 70, 'the new ones are there');
      await writer.stop();
      expect(query(scratch, 'SELECT epoch, next_offset FROM consumer_offsets')).toEqual([
        { epoch: 1, next_offset: 50 },
      ]);
      expect(query(scratch, 'SELECT first_offset, next_offset, reason FROM offset_holes')).toEqual([
        { first_offset: 20, next_offset: null, reason: 'topic_recreated' },
      ]);
      expect(sumsIn(scratch)).toEqual({ received: 70, lost: 0, missing: 0 });
    });
  }

  it('records what expired before it was read', async () => {
    using scratch = new Scratch();
    const topic = uniqueTopic('expired');
    await createTopic(bootstrap, topic);
    const runs = runsOf(1);
    await send(bootstrap, topic, samples(runs, 10));
    {
      await using _writer = new LocalWriter(bootstrap, scratch, topic);
      await until(() => rowsIn(scratch) === 10, 'the first are there');
    }
    await send(bootstrap, topic, samples(runs, 10, 11));
    await withAdmin(bootstrap, async (admin) => {
      await admin.fetchTopicMetadata({ topics: [topic] });
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '15' }] });
    });
    await using _writer = new LocalWriter(bootstrap, scratch, topic);
    await until(() => rowsIn(scratch) === 15, 'the rest is there');
    expect(query(scratch, 'SELECT first_offset, next_offset, reason FROM offset_holes')).toEqual([
      { first_offset: 10, next_offset: 15, reason: 'expired_in_kafka' },
    ]);
    expect(sumsIn(scratch)).toEqual({ received: 15, lost: 5, missing: 0 });
  });

  it('shares the partitions among writers that come and go, and loads everything once', async () => {
    using scratch = new Scratch();
    const topic = uniqueTopic('share');
    await createTopic(bootstrap, topic, { partitions: 6 });
    const runs = runsOf(20);
    let sent = 0;
    const more = async () => {
      await send(bootstrap, topic, samples(runs, 20, sent + 1));
      sent += 20;
    };
    await more();
    await using _first = new LocalWriter(bootstrap, scratch, topic);
    await more();
    const second = new LocalWriter(bootstrap, scratch, topic);
    await more();
    await until(() => second.events('partitions_assigned').length > 0, 'the second has joined');
    await more();
    await second.stop();
    await using _third = new LocalWriter(bootstrap, scratch, topic);
    await more();
    await until(() => rowsIn(scratch) === sent * 20, 'all rows are there');
    expect(sumsIn(scratch)).toEqual({ received: sent * 20, lost: 0, missing: 0 });
  });
});
