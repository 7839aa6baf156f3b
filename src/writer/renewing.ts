/** Certificates and passwords that change while the writer runs: those of the brokers, and those of the database. */
import type { ResolvedSettings } from '../config/load.ts';
import type { KafkaAccess } from '../kafka/access.ts';
import type { CertificateFile } from '../lib/certificate-file.ts';
import type { SampleDatabase } from '../sink/sample-database.ts';

export class Renewing {
  readonly #access: KafkaAccess;
  readonly #sink: Pick<SampleDatabase, 'renew' | 'accessProblem' | 'certificates'>;

  constructor(access: KafkaAccess, sink: Pick<SampleDatabase, 'renew' | 'accessProblem' | 'certificates'>) {
    this.#access = access;
    this.#sink = sink;
  }

  renew({ kafka, sqlserver }: ResolvedSettings): void {
    this.#access.renew(kafka);
    this.#sink.renew?.(sqlserver);
  }

  /** The files in use. */
  get certificates(): readonly CertificateFile[] {
    return [...this.#access.certificates, ...(this.#sink.certificates ?? [])];
  }

  /** Why older files are in use than there are, a sentence each. */
  get problems(): readonly string[] {
    const problems = [this.#access.problem, this.#sink.accessProblem];
    return problems
      .filter((problem) => problem !== undefined)
      .map((problem) => `older certificates are in use: ${problem}`);
  }
}
