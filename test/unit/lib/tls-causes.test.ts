import { expect, it } from 'vitest';
import { tlsProblem } from '../../../src/lib/tls-causes.ts';

it.each([
  ['UNSPECIFIED', 'unspecified certificate verification error', 'tooWeak'],
  ['CERT_REVOKED', 'certificate revoked', 'revoked'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'alert', 'wantsCertificate'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'alert', 'wantsCertificate'],
  ['EPROTO', 'write EPROTO: tlsv1 alert protocol version', 'oldTls'],
  ['EPROTO', 'write EPROTO: bad record mac', 'other'],
  ['ERR_SSL_DECRYPTION_FAILED', 'decryption failed', 'other'],
])('%s (%s) is: %s', (code, message, cause) => {
  expect(tlsProblem(code, message)).toMatchObject({ cause });
});

it.each(['ECONNREFUSED', '', 'toString', 'EPROTONOSUPPORT'])('“%s” says nothing of TLS', (code) => {
  expect(tlsProblem(code, 'message')).toBeUndefined();
});
