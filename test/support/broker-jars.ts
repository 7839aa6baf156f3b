/**
 * Apache Kafka for the tests: its jars, fetched from Maven Central once and kept in build/kafka-<version>/.
 *
 * The directory appears whole or not at all: jars are copied beside it and renamed. A second process that wants them
 * meanwhile waits for the first; a lock left by a dead process is taken over.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const root = join(import.meta.dirname, '../..');
const pom = join(import.meta.dirname, 'broker/pom.xml');

export const kafkaVersion = /<kafka\.version>([^<]+)</.exec(readFileSync(pom, 'utf8'))?.[1] ?? 'unknown';

const jars = join(root, 'build', `kafka-${kafkaVersion}`);

/** Why no broker can be started on this machine, or undefined. */
export function whyNoBroker(): string | undefined {
  if (!runs('java', '-version')) return 'no Java here (java -version fails); Kafka needs 17 or newer';
  if (existsSync(jars) || runs('mvn', '--version')) return undefined;
  return 'no Maven here (mvn --version fails) to fetch Apache Kafka with';
}

function runs(program: string, argument: string): boolean {
  return spawnSync(program, [argument], { stdio: 'ignore' }).status === 0;
}

/** The directory with the jars, fetched when it is not there yet. */
export async function kafkaJars(): Promise<string> {
  const lock = `${jars}.lock`;
  mkdirSync(join(root, 'build'), { recursive: true });
  while (!existsSync(jars)) {
    if (!takeLock(lock)) {
      await delay(200);
      continue;
    }
    try {
      if (!existsSync(jars)) await fetchJars();
    } finally {
      rmSync(lock, { force: true });
    }
  }
  return jars;
}

function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const holder = readHolder(lock);
    if (holder !== undefined && !existsSync(`/proc/${holder}`)) rmSync(lock, { force: true });
    return false;
  }
}

/** The pid in the lock; undefined when it is gone, or when its holder has not written it yet. */
function readHolder(lock: string): number | undefined {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

async function fetchJars(): Promise<void> {
  const unfinished = `${jars}.${process.pid}.part`;
  rmSync(unfinished, { recursive: true, force: true });
  const arguments_ = [
    '--quiet',
    '--batch-mode',
    '--file',
    pom,
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
    `-DoutputDirectory=${unfinished}`,
  ];
  const maven = spawn('mvn', arguments_, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [maven.stdout, maven.stderr]) stream.on('data', (data) => (output += String(data)));
  const code = await new Promise((resolve, reject) => maven.once('error', reject).once('close', resolve));
  if (code !== 0) {
    rmSync(unfinished, { recursive: true, force: true });
    throw new Error(`Apache Kafka ${kafkaVersion} could not be fetched with Maven:\n${output.slice(-2000)}`);
  }
  try {
    renameSync(unfinished, jars);
  } catch (error) {
    // Two that took over the lock of the same dead process: one was first, and its jars are as good.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(jars)) throw error;
  }
}
