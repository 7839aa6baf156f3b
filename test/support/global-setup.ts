/**
 * One Apache Kafka broker for all tests of the project `servers`; they find it with `inject('broker')`. Where Java or
 * Maven is missing it says so in one line and those tests skip; on CI that is a failure.
 */
import type { TestProject } from 'vitest/node';
import { Broker, type BrokerAddresses } from './broker.ts';
import { whyNoBroker } from './broker-jars.ts';

export type ProvidedBroker =
  | ({ readonly available: true; readonly pid: number } & BrokerAddresses)
  | { readonly available: false; readonly reason: string };

declare module 'vitest' {
  interface ProvidedContext {
    broker: ProvidedBroker;
  }
}

export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const reason = whyNoBroker();
  if (reason !== undefined) {
    if (process.env.CI === 'true') throw new Error(`the tests against a Kafka broker can't run: ${reason}`);
    process.stderr.write(`tests against a Kafka broker are skipped: ${reason}\n`);
    project.provide('broker', { available: false, reason });
    return undefined;
  }
  const broker = await Broker.start();
  project.provide('broker', { available: true, pid: broker.pid ?? 0, ...broker.addresses });
  return () => broker.stop();
}
