/**
 * Holds the imports of src/ against the rooms' rules: who may import whom. A room may always import itself; a type
 * counts like a value, since it couples just as much.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'start.ts': ['lib'],
  'main.ts': ['cli'],
  cli: [
    'agent',
    'writer',
    'local',
    'operate',
    'collect',
    'spool',
    'kafka',
    'sink',
    'accounts',
    'sample',
    'ops',
    'config',
    'lib',
  ],
  agent: ['collect', 'spool', 'kafka', 'ops', 'sample', 'config', 'lib'],
  writer: ['kafka', 'sink', 'accounts', 'ops', 'sample', 'config', 'lib'],
  local: ['collect', 'agent', 'spool', 'sink', 'accounts', 'ops', 'sample', 'config', 'lib'],
  operate: ['spool', 'kafka', 'sink', 'sample', 'config', 'lib'],
  collect: ['sample', 'config', 'lib'],
  spool: ['sample', 'config', 'lib'],
  kafka: ['ops', 'config', 'lib'],
  sink: ['accounts', 'sample', 'config', 'lib', 'sql'],
  accounts: ['sample', 'lib'],
  sample: ['lib'],
  ops: ['config', 'lib'],
  config: ['lib'],
  lib: [],
};

/** Packages that only one room may know. */
const ONLY_IN: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['kafka'],
  mssql: ['sink'],
  tedious: ['sink'],
  yargs: ['cli'],
  'better-sqlite3': ['lib'],
  systeminformation: ['collect'],
  'prom-client': ['ops'],
};

const IMPORT = /(?:from|import)\s*\(?\s*'([^']+)'/g;

export function checkLayers(root: string): string[] {
  const source = join(root, 'src');
  const problems: string[] = [];
  for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.d.ts')) continue;
    const path = join(source, file);
    const room = file.split('/')[0] as string;
    const allowed = ALLOWED[room];
    if (allowed === undefined) {
      problems.push(`src/${file}: ${room} is not a room`);
      continue;
    }
    for (const [, target = ''] of readFileSync(path, 'utf8').matchAll(IMPORT)) {
      if (target.startsWith('.')) {
        const other = roomOf(relative(root, resolve(dirname(path), target)));
        if (other !== room && !allowed.includes(other))
          problems.push(`src/${file}: ${room} may not import ${other} (${target})`);
      } else {
        const rooms = ONLY_IN[target.split('/')[0] as string];
        if (rooms !== undefined && !rooms.includes(room))
          problems.push(`src/${file}: only ${rooms.join(', ')} may import ${target}`);
      }
    }
  }
  return problems;
}

/** `src/spool/x.ts` is in spool, `sql/sqlite/x.sql` in sql. */
function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'src' ? second : top;
}

if (import.meta.main) {
  const problems = checkLayers(join(import.meta.dirname, '..'));
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
