/**
 * What kafkajs makes of bytes that are no Kafka: it reads them inside the socket's listener, where an error ends the
 * process, and believes any length, so that memory grows without bound. Here such bytes end the connection instead,
 * and whoever waits for an answer learns it as a connection error.
 *
 * Something that is not a broker may well sit at a broker's address: an HTTP server, a TLS listener, a broken proxy. Its
 * bytes and its close race each other, and the close may win: so the error has no code of its own, and who it is told
 * to sees a broker that can't be reached either way, only with more or fewer words.
 */
import Connection from 'kafkajs/src/network/connection.js';
import { asError } from '../lib/errors.ts';
import { wrapOnce } from './wrap-once.ts';

/** Largest answer that is believed, in bytes: Kafka's own bound of a request (socket.request.max.bytes). */
const LARGEST_FRAME = 100 * 1024 * 1024;

/** The length before each answer, in bytes. */
const LENGTH_BYTES = 4;

/** Applies the guard to kafkajs. */
export function guardFrames(): void {
  wrapOnce(Connection.prototype, 'processData', (processData) => {
    return function (this: Connection, data) {
      try {
        processData.call(this, data);
        if (this.bytesNeeded > LARGEST_FRAME + LENGTH_BYTES) throw new Error(`an answer of ${this.bytesNeeded} bytes`);
      } catch (error) {
        this.socket.destroy(strange(data, asError(error)));
      }
    };
  });
}

function strange(data: Buffer, cause: Error): Error {
  const says = isTlsRecord(data) ? 'its listener speaks TLS' : 'what it answers is not Kafka’s protocol';
  return new Error(says, { cause });
}

/** An alert, or the beginning of a handshake, of any version of TLS. */
function isTlsRecord(data: Buffer): boolean {
  return (data[0] === 0x15 || data[0] === 0x16) && data[1] === 0x03;
}
