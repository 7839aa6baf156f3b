/** The samples of a fleet as its agents would send them, without agents: as many as a test or a benchmark wants. */
import { type CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import { registerCodecs } from '../../src/kafka/codecs.ts';
import { encodeSample } from '../../src/sample/encode.ts';
import { UuidSource } from '../../src/sample/identity.ts';

export interface FleetMessage {
  readonly key: string;
  readonly value: string;
}

const GiB = 1024 ** 3;

/** Samples of so many hosts in turns, one run each, with most optional scalars: about 850 bytes as JSON. */
export function* fleetSamples(hosts: number, samples: number): Generator<FleetMessage> {
  const uuids = new UuidSource(() => Date.now());
  const runs = Array.from({ length: hosts }, () => uuids.next());
  const began = Date.now();
  for (let index = 0; index < samples; index++) {
    const host = index % hosts;
    const seq = Math.floor(index / hosts) + 1;
    const hostname = `web-${String(host + 1).padStart(3, '0')}.example.com`;
    yield { key: hostname, value: sampleOf(hostname, runs[host] as string, seq, uuids.next(), began) };
  }
}

function sampleOf(hostname: string, run_id: string, seq: number, event_id: string, began: number): string {
  // Digits as a live host has them, so that neither a codec nor a parser has it too easy.
  const vary = (base: number, spread: number) => Math.round((base + ((seq * 7919) % 1000) * spread) * 100) / 100;
  return encodeSample({
    hostname,
    timestamp: new Date(began + seq * 1000).toISOString(),
    cpu_percent: vary(12.34, 0.05),
    memory_percent: vary(41.2, 0.01),
    memory_used_mb: vary(6598.41, 1.37),
    memory_total_mb: 15_998.72,
    disk_percent: vary(61.03, 0.001),
    disk_used_gb: vary(58.77, 0.01),
    disk_total_gb: 96.3,
    network_bytes_sent: 12 * GiB + seq * 18_233,
    network_bytes_recv: 31 * GiB + seq * 52_711,
    cpu_user_percent: vary(8.1, 0.03),
    cpu_system_percent: vary(3.9, 0.01),
    cpu_iowait_percent: vary(0.12, 0.001),
    cpu_steal_percent: 0,
    cpu_count: 8,
    load_1: vary(0.93, 0.002),
    load_5: vary(0.81, 0.001),
    load_15: vary(0.77, 0.001),
    memory_available_mb: vary(9400.31, 1.37),
    swap_total_mb: 2048,
    swap_used_mb: 12.5,
    swap_percent: 0.61,
    disk_read_bytes: 9 * GiB + seq * 4096,
    disk_write_bytes: 77 * GiB + seq * 24_576,
    uptime_seconds: 1_234_567.89 + seq,
    process_count: 231,
    event_id,
    run_id,
    seq,
    agent_version: '0.1.0',
    spool_depth: seq % 3,
    spool_bytes: 45_056,
    spool_oldest_age_seconds: 0,
  });
}

const PER_REQUEST = 500;

/** Sends them in requests of 500; `compression` as kafkajs names codecs. */
export async function sendMessages(
  bootstrap: string,
  topic: string,
  messages: Iterable<FleetMessage>,
  compression: CompressionTypes,
): Promise<void> {
  registerCodecs();
  const kafka = new Kafka({ clientId: 'fleet', brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    let batch: FleetMessage[] = [];
    const flush = async () => {
      if (batch.length > 0) await producer.send({ topic, messages: batch, compression });
      batch = [];
    };
    for (const message of messages) {
      if (batch.push(message) === PER_REQUEST) await flush();
    }
    await flush();
  } finally {
    await producer.disconnect();
  }
}
