import { describe, expect, it } from 'vitest';
import type { CertificateFile } from '../../../src/lib/certificate-file.ts';
import { CertificateEnds } from '../../../src/ops/certificate-ends.ts';
import { CertificateAuthority } from '../../support/broker-certificates.ts';

const authority = new CertificateAuthority();
const until = (day: string) => authority.issue({ commonName: 'any', notAfter: new Date(day) }).cert;
const seconds = (day: string) => Date.parse(day) / 1000;
const pem = `subject=first\n${until('2031-05-01')}\nnext\n${until('2030-02-01')}${until('2032-01-01')}`;

function endOf(use: CertificateFile['use'], text: string): number | undefined {
  const [read] = new CertificateEnds().read([{ setting: 'kafka.tls.cert', use, pem: text }]);
  return read?.value as number | undefined;
}

describe('a file of certificates serves', () => {
  it('until the first of a chain that is shown ends', () => {
    expect(endOf('shown', pem)).toBe(seconds('2030-02-01'));
  });

  it('until the last authority ends, of those that are trusted', () => {
    expect(endOf('trusted', pem)).toBe(seconds('2032-01-01'));
  });

  it('by what can be read of it', () => {
    const broken = '-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n';
    expect(endOf('trusted', `${broken}${until('2031-05-01')}`)).toBe(seconds('2031-05-01'));
    expect(endOf('trusted', broken)).toBeUndefined();
    expect(endOf('shown', 'a letter')).toBeUndefined();
  });

  it('otherwise as soon as another is in its place', () => {
    const ends = new CertificateEnds();
    const read = (text: string) =>
      ends.read([
        { setting: 'kafka.tls.cert', use: 'shown', pem: text },
        { setting: 'http.tls.cert', use: 'shown', pem: until('2033-01-01') },
      ]);
    const other = { labels: { setting: 'http.tls.cert' }, value: seconds('2033-01-01') };
    expect(read(pem)).toEqual([{ labels: { setting: 'kafka.tls.cert' }, value: seconds('2030-02-01') }, other]);
    expect(read(pem)[0]?.value).toBe(seconds('2030-02-01'));
    expect(read(until('2040-01-01'))[0]?.value).toBe(seconds('2040-01-01'));
    expect(ends.read([])).toEqual([]);
  });
});
