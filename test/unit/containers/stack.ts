/** compose.yaml as the tests look at it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const DOCKER = join(import.meta.dirname, '../../../packaging/docker');
export const composeText = readFileSync(join(DOCKER, 'compose.yaml'), 'utf8');

export interface Service {
  readonly image: string;
  readonly restart: string;
  readonly command?: readonly string[];
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly read_only?: boolean;
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly ports?: readonly string[];
  readonly networks?: readonly string[];
  readonly secrets?: readonly string[];
  readonly volumes?: readonly (string | { readonly type: string; readonly source: string; readonly target: string })[];
  readonly deploy: { readonly resources: { readonly limits: Readonly<Record<string, unknown>> } };
}

export interface Stack {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

export function readStack(): Stack {
  return parse(composeText, { merge: true }) as Stack;
}

/** Names of the variables that compose puts in, `$$` being a dollar sign of the text's own. */
export function variablesOf(text: string): Set<string> {
  const found = text.replaceAll('$$', '').matchAll(/\$\{?([A-Za-z_][A-Za-z0-9_]*)/g);
  return new Set([...found].map(([, name]) => name as string));
}
