/** What a setting may name where a PEM file should be. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPem } from '../../../src/lib/pem-file.ts';
import { CertificateAuthority } from '../../support/broker-certificates.ts';
import { mkfifoSync } from '../config/mkfifo.ts';

let directory: string;
const { cert } = new CertificateAuthority();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pem-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

function read(path: string): string {
  return readPem('certificate', 'kafka.tls.ca', path, 'KAFKA_TLS_FILE');
}

describe('a PEM file', () => {
  it('may have text of any encoding around what is PEM', () => {
    const path = join(directory, 'ca.pem');
    writeFileSync(path, Buffer.concat([Buffer.from('# Autorit\xe9\n', 'latin1'), Buffer.from(cert)]));
    expect(read(path)).toContain(cert);
  });

  it('is refused, and nothing waits for it or fills the memory, where the name is another thing’s', () => {
    const pipe = join(directory, 'pipe');
    mkfifoSync(pipe);
    mkdirSync(join(directory, 'directory'));
    const huge = join(directory, 'huge');
    writeFileSync(huge, Buffer.alloc(4 * 1024 * 1024 + 1, cert));
    const problems = [
      [pipe, 'it is not a regular file'],
      ['/dev/zero', 'it is not a regular file'],
      [join(directory, 'directory'), 'it is a directory'],
      [huge, 'it is larger than 4096 KiB'],
      [join(directory, 'none'), 'there is no such file'],
    ] as const;
    for (const [path, problem] of problems) {
      expect(() => read(path)).toThrow(
        expect.objectContaining({
          code: 'KAFKA_TLS_FILE',
          message: `kafka.tls.ca: ${path} can't be read: ${problem}`,
        }),
      );
    }
  });
});
