/** What a user may do with a topic, a group or the cluster, as a broker that was asked tells it: a bit per operation. */

/** Kafka's numbers of the operations. */
const OPERATIONS = { read: 3, write: 4, create: 5, describe: 8, describeConfigs: 10 } as const;

export type Operation = keyof typeof OPERATIONS;

/** What stands there when a broker was not asked. */
const NOT_TOLD = -0x8000_0000;

export class Rights {
  readonly #bits: number;

  constructor(bits: number) {
    this.#bits = bits;
  }

  /** undefined where the broker did not tell. Without an authorizer on the brokers everybody may everything. */
  static of(bits: number): Rights | undefined {
    return bits === NOT_TOLD ? undefined : new Rights(bits);
  }

  may(operation: Operation): boolean {
    return (this.#bits & (1 << OPERATIONS[operation])) !== 0;
  }
}
