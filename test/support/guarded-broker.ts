/** A broker that lets nobody do anything without a right: its user `collector` has none, clients in plaintext all. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import { Broker, SASL_USER, withAdmin } from './broker.ts';

export class GuardedBroker implements AsyncDisposable {
  readonly broker: Broker;
  readonly #directory = mkdtempSync(join(tmpdir(), 'hostspool-ca-'));

  private constructor(broker: Broker) {
    this.broker = broker;
    writeFileSync(join(this.#directory, 'ca.pem'), broker.addresses.ca);
  }

  static async start(): Promise<GuardedBroker> {
    const properties = {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    };
    return new GuardedBroker(await Broker.start({ properties }));
  }

  get bootstrap(): string {
    return this.broker.addresses.sasl.bootstrap;
  }

  /** Settings of `kafka:` of the user without rights. */
  get login(): Readonly<Record<string, unknown>> {
    const { username, password } = this.broker.addresses.sasl;
    return {
      tls: { enabled: true, ca: join(this.#directory, 'ca.pem') },
      sasl: { mechanism: 'scram-sha-512', username, password },
    };
  }

  /** Lets that user read a topic or be in a group. */
  async grantRead(kind: 'topic' | 'group', name: string): Promise<void> {
    const acl = {
      resourceType: kind === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
      resourceName: name,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: `User:${SASL_USER}`,
      host: '*',
      operation: AclOperationTypes.READ,
      permissionType: AclPermissionTypes.ALLOW,
    };
    await withAdmin(this.broker.bootstrap, (admin) => admin.createAcls({ acl: [acl] }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#directory, { recursive: true, force: true });
    await this.broker.stop();
  }
}
