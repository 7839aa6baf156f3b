/**
 * Says of an answer that can't be taken apart that it is no answer of Kafka's, and whose it is: what comes out of
 * kafkajs otherwise are the words of whatever failed on the way, such as a number read beyond the end of a buffer.
 */
import Connection from 'kafkajs/src/network/connection.js';
import { asError, HostspoolError } from '../lib/errors.ts';
import { wrapOnce } from './wrap-once.ts';

export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
  /** host:port */
  readonly broker: string;

  constructor(broker: string, cause: unknown) {
    super(`an answer of ${broker} can't be read`, { cause });
    this.broker = broker;
  }
}

/** Applies the guard to kafkajs. */
export function guardAnswers(): void {
  wrapOnce(Connection.prototype, 'send', (send) => {
    return function (this: Connection, protocol) {
      const decode = async (payload: Buffer) => {
        try {
          return await protocol.response.decode(payload);
        } catch (error) {
          throw isAnswer(error) ? error : new UnreadableAnswer(this.broker, error);
        }
      };
      return send.call(this, { ...protocol, response: { ...protocol.response, decode } });
    };
  });
}

/** An error that the broker told, in an answer that was read. */
function isAnswer(error: unknown): boolean {
  return error instanceof HostspoolError || asError(error).name.startsWith('KafkaJS');
}
