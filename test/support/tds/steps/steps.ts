/** What each step means, by its name. What is not here, the double does not know. */
import type { Batch } from '../connection.ts';
import type { ResultSet } from '../tokens.ts';
import { BENCH_STEPS } from './bench-steps.ts';
import { CHECK_STEPS } from './check-steps.ts';
import { LOAD_STEPS } from './load-steps.ts';
import { READ_STEPS } from './read-steps.ts';
import { SCHEMA_STEPS } from './schema-steps.ts';
import { STAGING_STEPS } from './staging-steps.ts';

export interface StepAnswer {
  /** Rows touched, told before the rows of the answer. */
  readonly count?: number;
  readonly set?: ResultSet;
}

export interface Step {
  /** Waits for other connections' transactions when it is not inside one. */
  readonly writes: boolean;
  readonly run: (batch: Batch, signal: AbortSignal) => StepAnswer | undefined | Promise<StepAnswer | undefined>;
}

export const STEPS: Readonly<Record<string, Step>> = {
  ...STAGING_STEPS,
  ...LOAD_STEPS,
  ...READ_STEPS,
  ...SCHEMA_STEPS,
  ...CHECK_STEPS,
  ...BENCH_STEPS,
};
