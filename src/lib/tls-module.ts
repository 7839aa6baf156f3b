/** Node's TLS where it is needed: setting it up takes nearly two megabytes that an agent without TLS does not use. */
import type * as Tls from 'node:tls';

export function tlsModule(): typeof Tls {
  return process.getBuiltinModule('node:tls');
}
