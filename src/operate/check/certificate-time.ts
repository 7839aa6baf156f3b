/**
 * How much time a certificate has left. One that is renewed by itself is renewed long before its end, so one that is near
 * it was forgotten.
 */
import { day } from '../../kafka/broker-reach.ts';
import { type CertificateFile, decidingCertificate } from '../../lib/certificate-file.ts';
import type { Detail } from './check.ts';

const DAY_MS = 86_400_000;
/** Left less than this, or than a third of its whole time where that is shorter, is a warning. */
const SOON_DAYS = 14;

export interface TimeLeft {
  readonly isSoon: boolean;
  /** `until 2027-01-31 (68 days)` */
  readonly words: string;
  readonly detail: Detail;
}

/** Times in ms since the epoch. */
export function timeLeft({ validFrom, validTo }: { validFrom: number; validTo: number }, now: number): TimeLeft {
  const left = validTo - now;
  const days = Math.floor(left / DAY_MS);
  return {
    isSoon: left < Math.min(SOON_DAYS * DAY_MS, (validTo - validFrom) / 3),
    words: `until ${day(validTo)} (${days} ${days === 1 ? 'day' : 'days'})`,
    detail: {
      certificate_expires: Number.isNaN(validTo) ? null : new Date(validTo).toISOString(),
      certificate_days_left: Number.isNaN(days) ? null : days,
    },
  };
}

/** Of the certificate that decides for a PEM file; undefined where there is no text of one. */
export function fileTimeLeft(use: CertificateFile['use'], pem: unknown, now: number): TimeLeft | undefined {
  const certificate = typeof pem === 'string' ? decidingCertificate({ use, pem }) : undefined;
  if (certificate === undefined) return undefined;
  const { validFromDate, validToDate } = certificate;
  return timeLeft({ validFrom: validFromDate.getTime(), validTo: validToDate.getTime() }, now);
}
