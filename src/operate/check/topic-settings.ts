/** What the settings of a topic mean for samples in it: verdicts over values. */
import type { DescribedPartition } from '../../kafka/describe-requests.ts';
import { formatDuration, formatSize } from '../../lib/units.ts';
import { failed, type Outcome, ok, warning } from './check.ts';

export const TOPIC_SETTINGS = [
  'cleanup.policy',
  'retention.ms',
  'retention.bytes',
  'max.message.bytes',
  'message.timestamp.type',
  'min.insync.replicas',
  'unclean.leader.election.enable',
] as const;

type TopicSettings = ReadonlyMap<string, string>;

const DAY_MS = 86_400_000;
/** A writer may be away over a night without a loss. */
const LEAST_RETENTION_MS = DAY_MS;
/** A plain sample takes about 1.5 KiB, one with details ten times as much and more. */
const LEAST_MESSAGE_BYTES = { plain: 4096, details: 65_536 };

export function judgePolicy(settings: TopicSettings): Outcome {
  const policy = settings.get('cleanup.policy') ?? 'delete';
  if (!policy.split(',').includes('compact')) return ok(`cleanup.policy is ${policy}`);
  const finding = `cleanup.policy is ${policy}: Kafka keeps the newest sample of each host and deletes the others`;
  return failed('KAFKA_TOPIC_COMPACTED', finding, 'set cleanup.policy of the topic to delete');
}

export function judgeRetention(settings: TopicSettings): Outcome {
  const time = numberOf(settings, 'retention.ms', 7 * DAY_MS);
  const bytes = numberOf(settings, 'retention.bytes', -1);
  const words = `samples are kept ${time < 0 ? 'for ever' : `for ${formatDuration(time)}`}`;
  const detail = { retention_ms: time, retention_bytes: bytes };
  if (time >= 0 && time < LEAST_RETENTION_MS) {
    const finding = `${words}: what no writer loads within that time is lost`;
    return warning('KAFKA_TOPIC_RETENTION', finding, 'set retention.ms longer than writers may ever be away', detail);
  }
  if (bytes >= 0) {
    const finding = `${words}, and no more than ${formatSize(bytes)} a partition: what no writer loads before is lost`;
    const hint = 'set retention.bytes to -1, or so high that the time is reached first';
    return warning('KAFKA_TOPIC_RETENTION', finding, hint, detail);
  }
  return ok(words, detail);
}

export function judgeSize(settings: TopicSettings, batchBytes: number, details: boolean): Outcome {
  const most = numberOf(settings, 'max.message.bytes', 1_048_588);
  const least = details ? LEAST_MESSAGE_BYTES.details : LEAST_MESSAGE_BYTES.plain;
  const detail = { max_message_bytes: most, batch_bytes: batchBytes };
  if (most < least) {
    const finding = `max.message.bytes is ${formatSize(most)}: a sample may be larger, and would be refused`;
    const hint = `raise max.message.bytes of the topic above ship.batch_bytes, ${formatSize(batchBytes)}`;
    return failed('KAFKA_MESSAGE_TOO_LARGE', finding, hint, detail);
  }
  if (most < batchBytes) {
    const finding = `max.message.bytes, ${formatSize(most)}, is below ship.batch_bytes, ${formatSize(batchBytes)}: full batches are refused and sent again in halves`;
    const hint = 'lower ship.batch_bytes, or raise max.message.bytes of the topic';
    return warning('KAFKA_MESSAGE_TOO_LARGE', finding, hint, detail);
  }
  return ok(`max.message.bytes is ${formatSize(most)}`, detail);
}

export function judgeTime(settings: TopicSettings): Outcome {
  const type = settings.get('message.timestamp.type') ?? 'CreateTime';
  if (type === 'LogAppendTime') return ok('retention goes by the brokers’ clocks');
  const finding = `message.timestamp.type is ${type}: what a host whose clock is far behind sends may be deleted at once`;
  return warning('KAFKA_TOPIC_TIME', finding, 'set message.timestamp.type of the topic to LogAppendTime');
}

export function judgeReplicas(partitions: readonly DescribedPartition[], settings: TopicSettings): Outcome {
  const least = numberOf(settings, 'min.insync.replicas', 1);
  const replicas = Math.min(...partitions.map((each) => each.replicas.length));
  const inSync = Math.min(...partitions.map((each) => each.inSync.length));
  const detail = { replicas, in_sync_replicas: inSync, min_insync_replicas: least };
  if (inSync < least) {
    const finding = `a partition has ${inSync} of ${replicas} replicas in sync, and min.insync.replicas is ${least}: nothing is taken`;
    return failed('KAFKA_NOT_ENOUGH_REPLICAS', finding, 'bring the other brokers back', detail);
  }
  if (replicas < 2 || least < 2) {
    const why = replicas < 2 ? 'each partition has one replica' : `min.insync.replicas is ${least}`;
    const finding = `${why}: a sample may be acknowledged, and so deleted here, while it is on one disk`;
    const hint = 'give the topic 3 replicas and min.insync.replicas 2';
    return warning('KAFKA_TOPIC_REPLICAS', finding, hint, detail);
  }
  if (replicas === least) {
    const finding = `${replicas} replicas and min.insync.replicas ${least}: with one broker away nothing is taken`;
    return warning('KAFKA_TOPIC_REPLICAS', finding, 'give the topic one replica more', detail);
  }
  if (settings.get('unclean.leader.election.enable') === 'true') {
    const finding =
      'unclean.leader.election.enable is true: a replica that lacks samples may become leader, and they are gone';
    return warning('KAFKA_TOPIC_REPLICAS', finding, 'set unclean.leader.election.enable of the topic to false', detail);
  }
  return ok(`${replicas} replicas, ${inSync} in sync, at least ${least} wanted`, detail);
}

function numberOf(settings: TopicSettings, name: string, fallback: number): number {
  const text = settings.get(name);
  return text === undefined ? fallback : Number(text);
}
