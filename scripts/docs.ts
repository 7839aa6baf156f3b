/** `npm run docs`: writes docs/settings.md from the settings schema. A test fails while the file is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GroupEntry, groupEntries, type SettingEntry, settingEntries } from '../src/config/catalog.ts';
import { guideNames } from '../src/config/guide-names.ts';

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

function table(heads: readonly string[], rows: readonly string[]): string[] {
  return [row(...heads), row(...heads.map(() => '---')), ...rows];
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'settings.md'), renderSettings());
}
