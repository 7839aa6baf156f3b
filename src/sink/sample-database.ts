/** All that this product does with a database of samples: loading, a person's commands, and letting old rows go. */
import type { Sink } from './sink.ts';
import type { SinkAdmin } from './sink-admin.ts';

export interface SampleDatabase extends Sink, SinkAdmin {
  /**
   * Deletes a small batch of the rows that arrived before `before` (ms since the epoch), the oldest first; answers how
   * many. 0: there are none left. The accounts stay: what was received remains received. Throws as the Sink does.
   */
  expire(before: number): Promise<number>;
}
