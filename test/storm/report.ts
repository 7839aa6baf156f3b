/** A storm's result as lines for a terminal and for the log of a test. */
import type { StormReport } from './storm.ts';

/** Findings beyond this many are only counted. */
const MOST_FINDINGS = 40;

export function reportLines({ findings, database, faults, starts, samples }: StormReport): string[] {
  const lost = Object.entries(samples.lost).map(([reason, count]) => `${count} ${reason}`);
  const width = Math.max(0, ...[...faults.keys()].map((name) => name.length));
  return [
    `database   ${database}`,
    `processes  agents were started ${starts.agents} times, writers ${starts.writers} times`,
    `faults     ${[...faults.values()].reduce((sum, count) => sum + count, 0)}`,
    ...[...faults].sort().map(([name, count]) => `  ${name.padEnd(width)}  ${count}`),
    `samples    ${samples.taken} taken, ${samples.unbegun} of them died before their append began`,
    `           ${samples.plain} plain messages, ${samples.poison} poison; ${samples.messages} messages in the topic`,
    `           ${samples.rows} rows, losses on record: ${lost.length === 0 ? 'none' : lost.join(', ')}`,
    ...samples.untold.map(
      ({ run, first, last }) => `           gone with the log, told by nobody: ${run}, ${first} to ${last}`,
    ),
    ...findings.slice(0, MOST_FINDINGS).map(({ check, message }) => `FOUND      ${check}: ${message}`),
    ...(findings.length > MOST_FINDINGS ? [`FOUND      … and ${findings.length - MOST_FINDINGS} more`] : []),
    findings.length === 0
      ? 'verdict    nothing missing, nothing twice, every loss on record'
      : `verdict    ${findings.length} findings`,
  ];
}
