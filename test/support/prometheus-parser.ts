/** Prometheus' own client for Python, from PyPI, in build/prometheus-client: reads what we export, as a scrape would. */
import { spawnSync } from 'node:child_process';
import { PythonEnvironment } from './python-environment.ts';

const environment = new PythonEnvironment('prometheus-client', ['prometheus-client==0.21.1'], (made) =>
  made.runs('import prometheus_client'),
);

const PARSE = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families as families
print(json.dumps([{'name': s.name, 'labels': s.labels, 'value': s.value, 'type': f.type}
                  for f in families(sys.stdin.read()) for s in f.samples]))
`;

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly type: string;
}

export interface PrometheusParser {
  /** Why it can't be had here; undefined: it can. */
  readonly reason: string | undefined;
  readonly parse: (text: string) => readonly ParsedSample[];
}

/** Makes the environment where it is missing. */
export function preparePrometheusParser(): PrometheusParser {
  return { reason: environment.prepare(), parse };
}

function parse(text: string): readonly ParsedSample[] {
  const { status, stdout, stderr } = spawnSync(environment.python, ['-c', PARSE], { input: text, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the parser refused it: ${stderr}`);
  return JSON.parse(stdout) as ParsedSample[];
}
