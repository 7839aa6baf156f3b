/** What Grafana makes of the macros and variables in packaging/grafana/queries before it sends them; see docs/monitoring.md. */
export interface GrafanaContext {
  readonly from: Date;
  readonly to: Date;
  readonly intervalMs: number;
  readonly hosts: readonly string[];
  readonly silentAfter: number;
  readonly top: number;
}

export function expandMacros(
  sql: string,
  { from, to, intervalMs, hosts, silentAfter, top }: GrafanaContext,
  /** A time as a literal: Grafana's own, without fractions, unless another database wants another. */
  time = (date: Date) => `'${date.toISOString().replace(/\.\d+Z$/, 'Z')}'`,
): string {
  const expanded = sql
    .replaceAll(/\$__timeFilter\(([^)]+)\)/g, (_, column: string) => `${column} BETWEEN ${time(from)} AND ${time(to)}`)
    .replaceAll('$__timeFrom()', time(from))
    .replaceAll('$__timeTo()', time(to))
    .replaceAll('$__interval_ms', String(intervalMs))
    // biome-ignore lint/suspicious/noTemplateCurlyInString: that is how Grafana writes it.
    .replaceAll('${host:sqlstring}', hosts.map((host) => `'${host.replaceAll("'", "''")}'`).join(','))
    .replaceAll(/\$silent_after\b/g, String(silentAfter))
    .replaceAll(/\$top\b/g, String(top));
  const left = /\$\{?\w+/.exec(expanded)?.[0];
  if (left !== undefined) throw new Error(`${left} is no macro that is known here`);
  return expanded;
}
