/** Prometheus' own client for Python, from PyPI, in build/prometheus-client: reads what we export, as a scrape would. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const environment = join(import.meta.dirname, '../../build/prometheus-client');
const python = join(environment, 'bin/python');
const PACKAGE = 'prometheus-client==0.21.1';
const PIP_TIMEOUT_MS = 100_000;

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
  return { reason: prepare(), parse };
}

function parse(text: string): readonly ParsedSample[] {
  const { status, stdout, stderr } = spawnSync(python, ['-c', PARSE], { input: text, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the parser refused it: ${stderr}`);
  return JSON.parse(stdout) as ParsedSample[];
}

function prepare(): string | undefined {
  const isUsable = () => spawnSync(python, ['-c', 'import prometheus_client']).status === 0;
  if (existsSync(python) && isUsable()) return undefined;
  rmSync(environment, { recursive: true, force: true });
  if (spawnSync('python3', ['-m', 'venv', environment]).status !== 0) return 'no python3 with venv here';
  const pip = spawnSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PACKAGE], {
    timeout: PIP_TIMEOUT_MS,
    encoding: 'utf8',
  });
  if (isUsable()) return undefined;
  return `pip could not install ${PACKAGE}: ${pip.stderr.trim().split('\n').at(-1) ?? 'no reason given'}`;
}
