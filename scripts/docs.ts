/**
 * `npm run docs`: writes docs/settings.md from the settings schema and docs/metrics.md from the catalog of metrics. A
 * test fails while a file is stale.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GroupEntry, groupEntries, type SettingEntry, settingEntries } from '../src/config/catalog.ts';
import { guideNames } from '../src/config/guide-names.ts';
import { METRICS, type MetricEntry } from '../src/ops/metrics-catalog.ts';

const INTRODUCTION = `# Settings

Made by \`npm run docs\` from \`src/config/schema.ts\`; change it there.

A setting has one dotted name everywhere. \`spool.max_bytes\` is the flag \`--spool.max_bytes=1GiB\`, the variable
\`HOSTSPOOL_SPOOL_MAX_BYTES=1GiB\`, and in the settings file

\`\`\`yaml
spool:
  max_bytes: 1GiB
\`\`\`

\`hostspool config\` shows what is in force and where each value came from, \`hostspool config --example\` prints a
commented file, \`hostspool config --schema\` a JSON Schema by which an editor checks and completes one:

\`\`\`yaml
# yaml-language-server: $schema=./hostspool.schema.json
\`\`\`

## Which one wins

1. Flags.
2. Variables \`HOSTSPOOL_…\`. An empty one is an unset one, except \`HOSTSPOOL_HTTP_ADDRESS=\`, which turns HTTP off.
3. [Names that such pipelines already use](#names-that-such-pipelines-already-use), where no \`HOSTSPOOL_\` variable sets
   the same.
4. For secrets: systemd's credentials.
5. The settings file: \`--config\`, else \`HOSTSPOOL_CONFIG\`, else \`/etc/hostspool/hostspool.yaml\` when it is there;
   \`/dev/null\` is none.
6. Defaults.

An unknown name or a bad value stops the start with exit code 2, wherever it is and whether or not something else
overrules it, and so does an unknown \`HOSTSPOOL_…\` variable (\`HOSTSPOOL_TEST_…\` belong to the project's tests). Each
problem is a line with the name, the value, what is allowed, where it came from and the nearest right name.

## How values are written

- **Durations** \`250ms\`, \`5s\`, \`1.5h\`, \`7d\` (ms, s, m or min, h, d); a whole number of milliseconds.
- **Sizes** \`900KiB\`, \`512MiB\` (powers of 1024: KiB, MiB, GiB, TiB) or \`1GB\` (powers of 1000: kB, MB, GB, TB), \`4096B\`.
- **Booleans** \`true\`, \`yes\`, \`on\`, \`1\` and their opposites. A flag alone means true.
- **Lists** separated by commas; in the file also a YAML list.
- **Paths** count from the working directory if they are relative; \`~/\` is the home directory.
- In the file a value is taken as it is written (a password \`0123\` stays that). A key without a value, or with \`~\` or
  \`null\`, is as if it were not there; \`""\` is the empty text. Aliases, tags and several documents are refused.

## Secrets

A secret is never a flag, since everybody on a machine can read the arguments of its processes, and it is never printed
or logged. It comes from one of

- a file that the settings file names: \`password: { file: /etc/hostspool/kafka.password }\`;
- a file that a variable names: \`HOSTSPOOL_KAFKA_SASL_PASSWORD_FILE=/run/secrets/kafka\` (\`DB_PASSWORD_FILE\` too);
- systemd: \`LoadCredential=kafka.sasl.password:/etc/hostspool/kafka.password\`, under the setting's dotted name;
- a variable, or the settings file itself.

One newline at the end of a file is taken off. A file with a secret that everybody may read is a warning; setting a
secret both by a variable and by its \`…_FILE\` is an error.

## Live settings

SIGHUP makes a running agent read everything again. Those marked *live* take effect at once; of the others the log says
that they need a restart. A mistake in the file leaves everything as it was.
`;

const GUIDE_INTRODUCTION = `## Names that such pipelines already use

Read below the \`HOSTSPOOL_\` variable of the same setting, and not looked at where that or a flag sets it.
Two of them that give one setting different values stop the start.
`;

const GUIDE_NOTES: Readonly<Record<string, string>> = {
  KAFKA_BOOTSTRAP_SERVERS: 'a broker without a port gets 9092',
  COLLECTION_INTERVAL_SECONDS: 'a number of seconds, decimals allowed',
  BATCH_TIMEOUT_SECONDS: 'a number of seconds, decimals allowed',
  DB_HOST: 'as `SQL_SERVER`',
  SQL_SERVER: 'also with the port: `name,port`, `tcp:name,port`, `name:port`',
  DB_PASSWORD: 'or `DB_PASSWORD_FILE`',
  LOG_LEVEL: 'Python’s `WARNING`, `CRITICAL` and `NOTSET` too',
};

/** The whole of docs/settings.md. */
export function renderSettings(): string {
  const groups = groupEntries.map((group) => renderGroup(group));
  return [INTRODUCTION, ...groups, renderGuideNames()].join('\n');
}

function renderGroup(group: GroupEntry): string {
  const members = settingEntries.filter((setting) => setting.group === group.name);
  if (members.length === 0) return '';
  const heading = group.name === '' ? '## mode' : `## ${group.name}\n\n${group.description}`;
  const rows = members.map((setting) =>
    row(`\`${setting.name}\``, defaultOf(setting), allowedOf(setting), notesOf(setting)),
  );
  return [heading, '', ...table(['setting', 'default', 'allowed', ''], rows), ''].join('\n');
}

function defaultOf({ default: given, derived }: SettingEntry): string {
  if (derived !== undefined) return derived;
  if (given === undefined || (Array.isArray(given) && given.length === 0)) return '–';
  return `\`${String(given)}\``;
}

/** The allowed values without the examples of units, which the introduction has. */
function allowedOf({ allowed, choices }: SettingEntry): string {
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(', ');
  return allowed.replace(/, such as .*/, '');
}

function notesOf({ description, live, variable }: SettingEntry): string {
  return `${description}${live ? ' *Live.*' : ''}<br>\`${variable}\``;
}

function renderGuideNames(): string {
  const variables = [...new Set(guideNames.map(({ variable }) => variable))];
  const rows = variables.map((variable) => {
    const settings = guideNames.filter((name) => name.variable === variable).map(({ setting }) => `\`${setting}\``);
    return row(`\`${variable}\``, settings.join(', '), GUIDE_NOTES[variable] ?? '');
  });
  return [GUIDE_INTRODUCTION, ...table(['variable', 'setting', ''], rows), ''].join('\n');
}

const METRICS_INTRODUCTION = `# Health and metrics over HTTP

The tables of metrics are made by \`npm run docs\` from \`src/ops/metrics-catalog.ts\`, the rest is in \`scripts/docs.ts\`;
change it there.

A running hostspool listens on \`http.address\`: 127.0.0.1:9464, a writer 127.0.0.1:9465; empty is off.

| path | |
| --- | --- |
| \`/health\` | Does it do its work? 200 \`ok\`; 200 \`degraded\`: it does, or puts it off without loss, with trouble; 503 \`failed\` |
| \`/health/live\` | Is it worth restarting? 503 when the work itself stands still |
| \`/health/ready\` | As \`/health\`, and 503 before the first sample, before a writer is in its group, and while stopping |
| \`/metrics\` | Prometheus' text format, 0.0.4 |
| \`/status\` | agent and local mode: the object of \`hostspool status --json\` ([status-json.md](status-json.md)), with its default thresholds |

A health answer is \`{ "status": "ok", "reasons": [] }\`, each reason a sentence for people.

| | failed (503) | degraded (200) |
| --- | --- | --- |
| agent | no sample for three intervals and 10 s; the spool does not take samples | Kafka is away; a reading failed; the spool is 90 % full, or its oldest sample near \`spool.max_age\` |
| local mode | the same | its database does not take samples; the same |
| writer | the database or the dead-letter topic refuses; nothing loaded for 60 s although messages wait; out of the group for 60 s | an attempt failed and is tried again; not in the group yet |

Kafka may be away for days without an agent failing: that is what the spool is for. What that looks like from the centre
is in the spool's age and depth.

## Access

- Loopback is the default, and there every user of the host is answered: hostname, depth and the last error are to be
  seen, no setting and no secret. \`http.token\` (a secret: a file, the environment, a systemd credential) closes it; then
  every path wants \`Authorization: Bearer …\` and answers 401 without. Beyond loopback without a token, or with a token
  and without TLS, is a warning at the start.
- \`http.tls.cert\` and \`http.tls.key\` make it HTTPS, 1.2 at least. It never falls back to plain HTTP.
- Only GET and HEAD; a body is never read; 8 KiB of headers; one answer per connection, which lives 10 s at most whatever
  the client does; 64 connections at once. No answer has a stack or anything of the request in it.
- \`/metrics\` and \`/status\` are worked out at most four times a second, however often they are asked for.
- SIGHUP takes over all of \`http.*\`, and reads token and certificate again.
- An address in use, or a certificate that can't be read, stops nothing: the log says it once (\`http_not_listening\`) and
  it is tried again, at most a minute and a few seconds apart. So a second agent on a host works with the default
  address, unseen until it gets its own.

## Scraping

\`\`\`yaml
scrape_configs:
  - job_name: hostspool-writer        # has the fleet: no way to the hosts is needed
    authorization: { credentials_file: /etc/prometheus/hostspool.token }   # with http.token
    static_configs: [{ targets: ['writer-1:9465'] }]
  - job_name: hostspool
    static_configs: [{ targets: ['web-1:9464'] }]
\`\`\`

Between two scrapes nothing is done for them: values are read when asked from counters that are kept anyway.

The \`hostspool_fleet_\` metrics are read from the database, at most every 10 s: what the samples of all hosts carried.
Every writer tells the same, so take one of them: \`max without (instance) (hostspool_fleet_silent_hosts)\`. Only
\`http.fleet_hosts\` hosts have series of their own, those furthest behind, so that a large fleet, or a producer that makes
up host names, can't flood a Prometheus. While the database is away they stay as last read;
\`hostspool_fleet_read_timestamp_seconds\` says when that was.

Names are stable: metrics and labels are added, never renamed. Labels: \`kind\` is \`sample\` (a tick without a sample),
\`store\` (the spool did not take it), \`kafka\`, \`refused\` (by Kafka, for what it is), \`database\` or \`dead_letters\`;
\`target\` is \`kafka\`, \`database\` or \`dead_letters\`; \`reason\` is that of the spool's losses in status-json.md.
`;

const METRIC_GROUPS: readonly (readonly [title: string, modes: readonly string[]])[] = [
  ['Every mode', ['agent', 'writer', 'local']],
  ['Agent and local mode', ['agent', 'local']],
  ['Agent', ['agent']],
  ['Writer and local mode', ['writer', 'local']],
  ['Writer', ['writer']],
];

/** The whole of docs/metrics.md. */
export function renderMetrics(): string {
  const entries = Object.entries(METRICS) as [string, MetricEntry][];
  const groups = METRIC_GROUPS.map(([title, modes]) => {
    const members = entries.filter(([, entry]) => entry.modes.join() === modes.join());
    const rows = members.map(([name, { type, labels = [], help }]) =>
      row(`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help),
    );
    return [`## ${title}`, '', ...table(['metric', 'type', 'labels', ''], rows), ''].join('\n');
  });
  return [METRICS_INTRODUCTION, ...groups].join('\n');
}

function table(heads: readonly string[], rows: readonly string[]): string[] {
  return [row(...heads), row(...heads.map(() => '---')), ...rows];
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

if (import.meta.main) {
  const docs = join(import.meta.dirname, '..', 'docs');
  writeFileSync(join(docs, 'settings.md'), renderSettings());
  writeFileSync(join(docs, 'metrics.md'), renderMetrics());
}
