/** What the operator's commands ask of Kafka: a part of KafkaAdmin, so that a test can answer in its place. */
import type { KafkaAdmin } from '../kafka/admin.ts';

export type LogAdmin = Pick<KafkaAdmin, 'bounds' | 'committed' | 'members' | 'offsetsAt' | 'messageAt' | 'commit'>;
