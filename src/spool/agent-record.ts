/** What the agent says of itself in the spool's `state` table; a damaged file may hold anything instead. */
import * as z from 'zod';

const record = z.object({
  hostname: z.string(),
  pid: z.number(),
  version: z.string(),
  /** Bound of the spool, bytes. */
  max_bytes: z.number().positive(),
  /** Bound of a sample's age, ms. */
  max_age_ms: z.number().positive(),
  /** Time between two samples, ms. */
  interval_ms: z.number().positive(),
});

export type AgentRecord = z.output<typeof record>;

/** The record that a text holds; undefined if it holds none. */
export function parseAgentRecord(text: string): AgentRecord | undefined {
  try {
    return record.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
