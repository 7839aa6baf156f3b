/** The stack's compose file: no engine is needed to see that it is one, and that it means what it says. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { composeText, DOCKER, readStack, type Service, variablesOf } from './stack.ts';

const root = join(import.meta.dirname, '../../..');
const stack = readStack();
const services = Object.entries(stack.services);

function schemaProblems(document: unknown): readonly string[] {
  const path = join(createRequire(import.meta.url).resolve('dclint'), '../../schemas/compose.schema.json');
  const { $schema: _, ...schema } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const isValid = ajv.compile(schema);
  isValid(document);
  return (isValid.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

describe('compose.yaml', () => {
  it('is what the schema of the Compose Specification allows', () => {
    expect(schemaProblems(stack)).toEqual([]);
    const wrong = composeText.replace('    healthcheck:\n', '    healthchek:\n');
    expect(schemaProblems(parse(wrong, { merge: true })).join()).toContain('must NOT have additional properties');
  });

  it('has no mistake that dclint knows; how its keys are sorted is our own', () => {
    const dclint = join(root, 'node_modules/dclint/bin/dclint.cjs');
    const { status, stdout } = spawnSync(process.execPath, [dclint, '--quiet', join(DOCKER, 'compose.yaml')], {
      encoding: 'utf8',
    });
    expect({ status, stdout: stdout.trim() }).toEqual({ status: 0, stdout: '' });
  });

  it('takes only variables that .env.example has, and all of them', () => {
    const lines = readFileSync(join(DOCKER, '.env.example'), 'utf8').split('\n');
    const offered = lines.flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
    expect([...variablesOf(composeText)].sort()).toEqual(offered.sort());
    expect(offered.filter((name) => /PASS|SECRET|TOKEN|KEY/.test(name))).toEqual([]);
  });

  it('publishes nothing beyond the loopback of its machine', () => {
    const ports = services.flatMap(([, { ports = [] }]) => ports);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it.each(services)('confines and bounds %s', (_, service: Service) => {
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toContain('no-new-privileges:true');
    expect(Object.keys(service.deploy.resources.limits).sort()).toEqual(['cpus', 'memory', 'pids']);
  });

  it.each(services)('starts %s after what it waits for, which can come about', (name, service: Service) => {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const awaited = stack.services[other];
      expect(awaited, `${name} waits for ${other}`).toBeDefined();
      // A task that is started again and again never ends; what is healthy has a check, its own or its image's.
      if (condition === 'service_completed_successfully') expect(awaited?.restart).toBe('no');
      else {
        expect(condition).toBe('service_healthy');
        expect(awaited?.restart).toBe('unless-stopped');
        expect(awaited?.healthcheck?.test?.[0] ?? awaited?.image).toMatch(/^\$\{HOSTSPOOL_IMAGE|^CMD/);
      }
    }
  });

  it('mounts only what is there', () => {
    const sources = services.flatMap(([, { volumes = [] }]) =>
      volumes.flatMap((volume) => (typeof volume === 'string' ? [] : [volume.source])),
    );
    expect(sources).toEqual(expect.arrayContaining(['../prometheus', '../grafana/dashboards']));
    expect(sources.filter((source) => !existsSync(resolve(DOCKER, source)))).toEqual([]);
  });

  it('runs the broker that the tests run against', () => {
    const pom = readFileSync(join(root, 'test/support/broker/pom.xml'), 'utf8');
    const tested = /<kafka\.version>([^<]+)</.exec(pom)?.[1];
    expect(stack.services.kafka?.image).toBe(`apache/kafka:${tested}`);
    expect(stack.services.topic?.image).toBe(stack.services.kafka?.image);
  });

  it('reaches the database from the writer’s side only, never from an agent', () => {
    const within = (network: string) =>
      services.flatMap(([name, { networks }]) => (networks?.includes(network) ? [name] : []));
    expect(within('database')).toEqual(['sqlserver', 'migrate', 'writer', 'grafana']);
    expect(within('pipeline')).toEqual(['kafka', 'topic', 'writer', 'agent']);
  });

  it('makes the topic as docs/operations.md has it, but for the replicas', () => {
    const settings = (text: string) => new Set([...text.matchAll(/--config ([a-z.]+=\S+)/g)].map(([, pair]) => pair));
    const [, command = ''] = /```sh\n(kafka-topics\.sh[^`]*)```/.exec(
      readFileSync(join(root, 'docs/operations.md'), 'utf8'),
    ) as RegExpExecArray;
    const recommended = [...settings(command)].filter((pair) => !pair?.startsWith('min.insync.replicas'));
    expect(recommended.length).toBeGreaterThan(3);
    const made = settings(stack.services.topic?.command?.join('\n') ?? '');
    expect(recommended.filter((pair) => !made.has(pair))).toEqual([]);
  });
});
