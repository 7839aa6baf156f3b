/**
 * What kafkajs makes of bytes that are no Kafka: it reads them inside the socket's listener, where an error ends the
 * process, and believes any length, so that memory grows without bound. Here such bytes end the connection instead,
 * and whoever waits for an answer learns it as a connection error.
 *
 * Something that is not a broker may well sit at a broker's address: an HTTP server, a TLS listener, a broken proxy.
 */
import Connection from 'kafkajs/src/network/connection.js';
import { asError } from '../lib/errors.ts';

/** Largest answer that is believed, in bytes: Kafka's own bound of a request (socket.request.max.bytes). */
const LARGEST_FRAME = 100 * 1024 * 1024;

/** The length before each answer, in bytes. */
const LENGTH_BYTES = 4;

type ProcessData = (this: Connection, data: Buffer) => void;

const GUARDED = Symbol.for('hostspool.guarded');

/** Applies the guard to kafkajs, once per process however often it is called. */
export function guardFrames(): void {
  const original = Connection.prototype.processData as ProcessData & { [GUARDED]?: true };
  if (original[GUARDED]) return;
  const guarded: ProcessData = function (data) {
    try {
      original.call(this, data);
      if (this.bytesNeeded > LARGEST_FRAME + LENGTH_BYTES) throw new Error(`an answer of ${this.bytesNeeded} bytes`);
    } catch (error) {
      const cause = asError(error);
      this.socket.destroy(
        Object.assign(new Error(`this is not a Kafka broker: ${cause.message}`), { code: 'EPROTO', cause }),
      );
    }
  };
  Connection.prototype.processData = Object.assign(guarded, { [GUARDED]: true });
}
