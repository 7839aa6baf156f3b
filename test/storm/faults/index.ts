/** All faults of a storm, but for those of its database: a new one is one object here. */
import type { Fault } from '../fault.ts';
import { BROKER_FAULTS } from './broker.ts';
import { LINK_FAULTS } from './links.ts';
import { PROCESS_FAULTS } from './processes.ts';
import { TOPIC_FAULTS } from './topic.ts';

export const FAULTS: readonly Fault[] = [...PROCESS_FAULTS, ...LINK_FAULTS, ...BROKER_FAULTS, ...TOPIC_FAULTS];
