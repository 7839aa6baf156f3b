import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LOAD_STEPS, loadBatch } from '../../../../src/sink/sqlserver/load-batch.ts';
import { createDatabaseText, migrationBatchText, STATEMENTS } from '../../../../src/sink/sqlserver/statements.ts';

const documentation = readFileSync(join(import.meta.dirname, '../../../../docs/sqlserver.md'), 'utf8');

describe('every statement that the sink sends', () => {
  it.each(Object.entries(STATEMENTS))('%s begins with the name of its step, and is documented', (name, text) => {
    expect(text.startsWith(`/* step: ${name} */\n`)).toBe(true);
    expect(documentation).toContain(`\`${name === 'load' ? '/* step: load */' : name}\``);
  });

  it('keeps to what the supported servers share', () => {
    for (const text of Object.values(STATEMENTS)) {
      expect(text).not.toMatch(/\bMERGE\b|\bWAITFOR\b|SET NOCOUNT|CREATE OR ALTER|sp_prepare/i);
    }
  });

  it('names every real table with its schema', () => {
    for (const text of Object.values(STATEMENTS)) {
      expect(text).not.toMatch(/(FROM|JOIN|INTO|UPDATE) (server_metrics|runs|seq_gaps|hosts|consumer_offsets|offset_)/);
    }
  });

  it('quotes the name of a database, whatever it is', () => {
    expect(createDatabaseText('a]; DROP TABLE x; --')).toContain('CREATE DATABASE [a]]; DROP TABLE x; --];');
    expect(migrationBatchText('SELECT 1')).toBe('/* step: migration-batch */\nSELECT 1');
  });
});

describe('the batch that loads', () => {
  it('is made of steps, each with its comment, each documented', () => {
    const text = loadBatch();
    for (const { name, sql } of LOAD_STEPS) {
      expect(text).toContain(`/* step: ${name} */\n${sql}`);
      expect(documentation).toMatch(new RegExp(`^\\| \`${name}\` \\|`, 'm'));
    }
  });

  it('takes its locks in one order', () => {
    const tables = [...loadBatch().matchAll(/INSERT INTO dbo\.(\w+)/g)].map(([, table]) => table);
    expect(tables).toEqual(['consumer_offsets', 'server_metrics', 'runs', 'seq_gaps', 'hosts', 'offset_holes']);
  });

  it('finds what it changes by key, line by line of the staging tables', () => {
    const changes = [...loadBatch().matchAll(/^ *(?:UPDATE|DELETE) (\w)\b[^;]*?\bFROM ([^;]*);/gm)];
    const bySkip = changes.filter(([text]) => text.includes('offset_holes'));
    expect(bySkip).toHaveLength(2);
    expect(changes).toHaveLength(8);
    for (const [, , from] of changes.filter((each) => !bySkip.includes(each))) {
      expect(from).toMatch(/^(#\w+ AS \w|\()/);
      expect(from).toMatch(/INNER LOOP JOIN dbo\.\w+ AS \w\s+ON \w\.(partition_id|event_id|run_id|hostname) = /);
    }
  });

  it('writes many rows in slices below the escalation of locks', () => {
    const sizes = [...loadBatch().matchAll(/@from \+ (\d+)/g)].map(([, size]) => Number(size));
    expect(sizes.length).toBeGreaterThan(10);
    expect(Math.max(...sizes)).toBeLessThan(5000);
  });
});
