/**
 * Until when the files of certificates in use serve, for /metrics. What was worked out is kept until a file is another:
 * one of all the authorities that a system trusts takes milliseconds.
 */
import { type CertificateFile, decidingCertificate } from '../lib/certificate-file.ts';
import type { LabelledValue } from './metrics-catalog.ts';

interface Known {
  readonly pem: string;
  /** Seconds since the epoch; NaN: there is none to tell. */
  readonly end: number;
}

export class CertificateEnds {
  readonly #known = new Map<string, Known>();

  read(files: readonly CertificateFile[]): LabelledValue[] {
    return files
      .map((file) => ({ labels: { setting: file.setting }, value: this.#endOf(file) }))
      .filter(({ value }) => !Number.isNaN(value));
  }

  #endOf(file: CertificateFile): number {
    const before = this.#known.get(file.setting);
    if (before?.pem === file.pem) return before.end;
    const end = (decidingCertificate(file)?.validToDate.getTime() ?? Number.NaN) / 1000;
    this.#known.set(file.setting, { pem: file.pem, end });
    return end;
  }
}
