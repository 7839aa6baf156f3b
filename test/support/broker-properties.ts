/** server.properties of a broker: its listeners, who may log in there, and what makes it quick to start and to answer. */
import { join } from 'node:path';
import type { Certificate } from './broker-certificates.ts';

export const SASL_USER = 'collector';
export const SASL_PASSWORD = 'correct horse; battery';

/** A listener that advertises the port of a proxy. */
export interface BrokerLink {
  /** Where it says it is: put a TcpProxy on this port … */
  readonly proxied: string;
  /** … that forwards here. */
  readonly target: string;
}

export const LISTENERS = ['plaintext', 'proxied', 'sasl', 'mutual', 'controller'] as const;
export type Ports = Readonly<Record<(typeof LISTENERS)[number] | 'proxy', number>>;

export function serverProperties(
  directory: string,
  ports: Ports,
  links: readonly BrokerLink[],
  ca: string,
  server: Certificate,
): Record<string, string> {
  const login = 'org.apache.kafka.common.security';
  return {
    'process.roles': 'broker,controller',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: [
      `PLAINTEXT://127.0.0.1:${ports.plaintext}`,
      `PROXIED://127.0.0.1:${ports.proxied}`,
      `SASL://127.0.0.1:${ports.sasl}`,
      `MUTUAL://127.0.0.1:${ports.mutual}`,
      `CONTROLLER://127.0.0.1:${ports.controller}`,
      ...links.map(({ target }, index) => `LINK${index + 1}://${target}`),
    ].join(','),
    'advertised.listeners': [
      `PLAINTEXT://127.0.0.1:${ports.plaintext}`,
      `PROXIED://127.0.0.1:${ports.proxy}`,
      `SASL://127.0.0.1:${ports.sasl}`,
      `MUTUAL://127.0.0.1:${ports.mutual}`,
      ...links.map(({ proxied }, index) => `LINK${index + 1}://${proxied}`),
    ].join(','),
    'listener.security.protocol.map': [
      'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT',
      ...links.map((_, index) => `LINK${index + 1}:PLAINTEXT`),
    ].join(','),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.key': server.key,
    'ssl.keystore.certificate.chain': server.cert,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.certificates': ca,
    'listener.name.mutual.ssl.client.auth': 'required',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_${SASL_USER}="${SASL_PASSWORD}";`,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'log.dirs': join(directory, 'data'),
    'num.partitions': '1',
    'num.network.threads': '2',
    'num.io.threads': '2',
    'default.replication.factor': '1',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '2',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'broker.session.timeout.ms': '1500',
    'broker.heartbeat.interval.ms': '300',
    'auto.create.topics.enable': 'false',
  };
}

/** A Java properties file: a PEM text becomes one line with escaped line ends. */
export function propertiesFile(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('');
}
