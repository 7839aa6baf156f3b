/**
 * Says of an answer that can't be taken apart that it is no answer of Kafka's, and whose it is: what comes out of
 * kafkajs otherwise are the words of whatever failed on the way, such as a number read beyond the end of a buffer.
 */
import Connection from 'kafkajs/src/network/connection.js';
import { asError, HostspoolError } from '../lib/errors.ts';

export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
  /** host:port */
  readonly broker: string;

  constructor(broker: string, cause: unknown) {
    super(`an answer of ${broker} can't be read`, { cause });
    this.broker = broker;
  }
}

type Send = (this: Connection, ...given: Parameters<Connection['send']>) => ReturnType<Connection['send']>;

const GUARDED = Symbol.for('hostspool.guarded');

/** Applies the guard to kafkajs, once per process however often it is called. */
export function guardAnswers(): void {
  const original = Connection.prototype.send as Send & { [GUARDED]?: true };
  if (original[GUARDED]) return;
  const guarded: Send = function (protocol) {
    const decode = async (payload: Buffer) => {
      try {
        return await protocol.response.decode(payload);
      } catch (error) {
        throw isAnswer(error) ? error : new UnreadableAnswer(this.broker, error);
      }
    };
    return original.call(this, { ...protocol, response: { ...protocol.response, decode } });
  };
  Connection.prototype.send = Object.assign(guarded, { [GUARDED]: true });
}

/** An error that the broker told, in an answer that was read. */
function isAnswer(error: unknown): boolean {
  return error instanceof HostspoolError || asError(error).name.startsWith('KafkaJS');
}
