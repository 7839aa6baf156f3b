/** How tests speak to the broker beside the code under test, and the settings they give that code. */
import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { type Settings, settingsSchema } from '../../src/config/schema.ts';
import type { BrokerAddresses } from './broker.ts';

export { firstOccurrences, type Received, readTopic } from './topic-reader.ts';

/** The broker of this test run, or why there is none: then its tests skip, and the addresses lead nowhere. */
export function testBroker(): { readonly addresses: BrokerAddresses; readonly missing: string | undefined } {
  const provided = inject('broker');
  if (provided.available) return { addresses: provided, missing: undefined };
  const nowhere = { bootstrap: '', username: '', password: '', client: { cert: '', key: '' } };
  const addresses = { bootstrap: '', proxied: '', proxyTarget: '', sasl: nowhere, mutual: nowhere, links: [], ca: '' };
  return { addresses, missing: provided.reason };
}

/** The settings of `kafka:` with defaults, short time limits, and these. */
export function kafkaSettings(brokers: string, more: Readonly<Record<string, unknown>> = {}): Settings['kafka'] {
  const limits = { connect_timeout: '5s', request_timeout: '10s' };
  return settingsSchema.parse({ kafka: { brokers, ...limits, ...more } }).kafka;
}

/** A topic name that no other test has. */
export function uniqueTopic(prefix = 'test'): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}
