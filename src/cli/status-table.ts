/**
 * The status for people: on one screen, what matters first. Words for ages, sizes with units; the exact values are in
 * the JSON.
 */
import { styleText } from 'node:util';
import { printable } from '../lib/printable.ts';
import { formatSize } from '../lib/units.ts';
import type { StatusReport } from '../operate/status.ts';
import { ageInWords, percent, samples } from '../operate/status-findings.ts';

export interface TableOptions {
  readonly colours: boolean;
}

type Colour = 'green' | 'yellow' | 'red' | 'bold' | 'dim';

const SEVERITY_COLOURS = { ok: 'green', warning: 'yellow', critical: 'red' } as const;

/** Runs listed at most; a host that starts over and over has more than a screen holds. */
const RUNS_SHOWN = 5;

const LABEL_WIDTH = 10;

/** Lines without the last line break. */
export function statusTable(report: StatusReport, { colours }: TableOptions): string {
  const paint = (colour: Colour, text: string) => (colours ? styleText(colour, text, { validateStream: false }) : text);
  const { agent, spool } = report;
  const colour = SEVERITY_COLOURS[report.severity];
  const lines = [
    `${paint('bold', paint(colour, report.severity.toUpperCase()))}  ${printable(agent.hostname ?? 'unknown host')}  ${paint('dim', printable(spool.path))}`,
    ...report.reasons.map((reason) => paint(colour, `  ! ${printable(reason)}`)),
    '',
  ];
  const block = (label: string, content: readonly string[]) => {
    for (const [index, line] of content.entries()) {
      lines.push(`${paint('bold', (index === 0 ? label : '').padEnd(LABEL_WIDTH))}${printable(line)}`);
    }
  };
  block('Spool', spoolLines(report));
  block('Agent', agentLines(report));
  block('Shipping', shippingLines(report));
  block('Losses', lossLines(report));
  if (spool.runs.length > 1) block('Runs', runLines(report));
  return lines.join('\n');
}

function spoolLines({ spool, checked_at }: StatusReport): string[] {
  const depth = spool.depth === null ? 'an unknown number of samples' : samples(spool.depth);
  const share =
    spool.fill_ratio === null ? '' : ` of ${formatSize(spool.capacity_bytes ?? 0)} (${percent(spool.fill_ratio)})`;
  const lines = [
    `${spool.depth_exact || spool.depth === null ? '' : 'about '}${depth}, ${formatSize(spool.bytes)}${share}`,
  ];
  if (spool.oldest !== null && spool.newest !== null) {
    const bound = spool.max_age_seconds === null ? '' : ` of at most ${ageInWords(spool.max_age_seconds * 1000)}`;
    lines.push(
      `oldest waits ${ageInWords(spool.oldest_age_seconds * 1000)}${bound}, newest ${ago(spool.newest, checked_at)}`,
    );
  }
  const full = spool.seconds_until_full === null ? '' : `, full in ${ageInWords(spool.seconds_until_full * 1000)}`;
  lines.push(`in ${rate(spool.samples_per_second_in)}, out ${rate(spool.samples_per_second_out)}${full}`);
  if (spool.notes_pending > 0) {
    lines.push(`${spool.notes_pending} ${spool.notes_pending === 1 ? 'note waits' : 'notes wait'} to ride on a sample`);
  }
  return lines;
}

function agentLines({ agent, checked_at }: StatusReport): string[] {
  const what = agent.running ? `running${agent.pid === null ? '' : `, pid ${agent.pid}`}` : 'not running';
  const version = agent.version === null ? '' : `, version ${agent.version}`;
  const every = agent.interval_seconds === null ? '' : `, a sample every ${agent.interval_seconds} s`;
  const lines = [`${what}${version}${every}`];
  if (agent.run_id !== null) {
    const last = agent.last_sample_at === null ? '' : `, ${ago(agent.last_sample_at, checked_at)}`;
    const ended = agent.run_ended === 'clean' ? ', stopped in order' : '';
    lines.push(
      `run ${agent.run_id}: ${agent.last_seq === 0 ? 'no sample yet' : `last sample no. ${agent.last_seq}`}${last}${ended}`,
    );
  }
  return lines;
}

const SHIPPING_WORDS = { idle: 'idle', shipping: 'shipping', backing_off: 'backing off', stopped: 'stopped' } as const;

function shippingLines({ shipping, checked_at }: StatusReport): string[] {
  const next = shipping.next_attempt_at;
  const wait = next === null ? 0 : Date.parse(next) - Date.parse(checked_at);
  const attempt = next === null ? '' : wait > 0 ? `, next attempt in ${ageInWords(wait)}` : ', an attempt is due';
  const acknowledged = shipping.last_ack_at === null ? 'nothing yet' : `last ${ago(shipping.last_ack_at, checked_at)}`;
  const lines = [
    `${SHIPPING_WORDS[shipping.state]}${shipping.failures > 0 ? `, ${shipping.failures} failed in a row` : ''}${attempt}`,
    `acknowledged ${shipping.shipped_total.toLocaleString('en-US')}, ${acknowledged}`,
  ];
  if (shipping.last_error !== null)
    lines.push(`${shipping.failures > 0 ? 'error' : 'last error'}: ${shipping.last_error}`);
  return lines;
}

function lossLines({ losses, checked_at }: StatusReport): string[] {
  if (losses.length === 0) return ['none'];
  return losses.map((loss) => `${loss.reason}: ${samples(loss.samples)}, last ${ago(loss.last_at, checked_at)}`);
}

function runLines({ spool }: StatusReport): string[] {
  const shown = spool.runs.slice(0, RUNS_SHOWN);
  const lines = shown.map((run) => `${run.run_id}: ${samples(run.samples)}, no. ${run.first_seq} to ${run.last_seq}`);
  const more = spool.runs.length - shown.length;
  if (more > 0 || !spool.runs_complete) lines.push(`and ${more > 0 ? `${more} more` : 'more'}`);
  return lines;
}

function ago(then: string, now: string): string {
  return `${ageInWords(Date.parse(now) - Date.parse(then))} ago`;
}

function rate(perSecond: number): string {
  return perSecond >= 10 ? `${Math.round(perSecond).toLocaleString('en-US')}/s` : `${Number(perSecond.toFixed(2))}/s`;
}
