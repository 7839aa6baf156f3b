/** All that this product does with a database of samples: loading, a person's commands, and letting old rows go. */
import type { Settings } from '../config/schema.ts';
import type { CertificateFile } from '../lib/certificate-file.ts';
import type { Sink } from './sink.ts';
import type { SinkAdmin } from './sink-admin.ts';

export interface SampleDatabase extends Sink, SinkAdmin {
  /**
   * Deletes a small batch of the rows that arrived before `before` (ms since the epoch), the oldest first; answers how
   * many. 0: there are none left. The accounts stay: what was received remains received. Throws as the Sink does.
   */
  expire(before: number): Promise<number>;

  /** Takes over login and authorities, for connections to come; what is under way ends on the old ones. */
  renew?(settings: Pick<Settings['sqlserver'], 'user' | 'password' | 'ca'>): void;

  /** Why older files are in use than there are, for a person. */
  readonly accessProblem?: string | undefined;

  /** The files of certificates in use. */
  readonly certificates?: readonly CertificateFile[];
}
