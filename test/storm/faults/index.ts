/** All faults of a storm, but for those of its database: a new one is one object here. */
import type { Fault } from '../fault.ts';
import { BROKER_FAULTS } from './broker.ts';
import { CLOCK_FAULTS } from './clocks.ts';
import { DISK_FAULTS } from './disks.ts';
import { LINK_FAULTS } from './links.ts';
import { LOG_FAULTS } from './logs.ts';
import { PROCESS_FAULTS } from './processes.ts';
import { SPOOL_FAULTS } from './spools.ts';
import { TOPIC_FAULTS } from './topic.ts';

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...SPOOL_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
  ...LINK_FAULTS,
  ...BROKER_FAULTS,
  ...TOPIC_FAULTS,
];

/**
 * The part in which messages are lost in Kafka. What decides what was lost, the writers' place and the agents' way to
 * the broker, is in the hands of those faults alone; the agents themselves die as ever.
 */
export const LOST_LOG_FAULTS: readonly Fault[] = [...PROCESS_FAULTS.filter(({ on }) => on === 'agent'), ...LOG_FAULTS];
