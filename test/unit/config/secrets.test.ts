import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { load, loadError, scratchDirectory, scratchFile } from './scratch.ts';

const SECRET = 'hunter2-hunter2';
const passwordOf = (given: Parameters<typeof load>[0]) => load(given).settings.kafka.sasl.password;
const secretFile = (content: string, mode = 0o600) => scratchFile(content, 'kafka.password', mode);

describe('a secret', () => {
  it('comes from a file that the settings file names, without its last newline', () => {
    const path = secretFile(` ${SECRET}\n\n`);
    expect(passwordOf({ yaml: `kafka: { sasl: { password: { file: ${path} } } }` })).toBe(` ${SECRET}\n`);
  });

  it('comes from a file that the environment names, by its own name or the guide’s', () => {
    const path = secretFile(`${SECRET}\r\n`);
    expect(passwordOf({ env: { HOSTSPOOL_KAFKA_SASL_PASSWORD_FILE: path } })).toBe(SECRET);
    expect(load({ env: { DB_PASSWORD_FILE: path } }).settings.sqlserver.password).toBe(SECRET);
  });

  it('comes from systemd’s credentials, below a variable and above the file', () => {
    const directory = scratchDirectory();
    writeFileSync(join(directory, 'kafka.sasl.password'), SECRET);
    const env = { CREDENTIALS_DIRECTORY: directory };
    const yaml = 'kafka: { sasl: { password: from-file } }';
    const { settings, sources } = load({ env, yaml });
    expect(settings.kafka.sasl.password).toBe(SECRET);
    expect(sources.get('kafka.sasl.password')).toEqual({ kind: 'credential', name: 'kafka.sasl.password' });
    expect(passwordOf({ env: { ...env, HOSTSPOOL_KAFKA_SASL_PASSWORD: 'from-variable' }, yaml })).toBe('from-variable');
  });

  it('is refused as a flag, and not shown', () => {
    const { message } = loadError({ flags: { 'kafka.sasl.password': SECRET } });
    expect(message).toContain('HOSTSPOOL_KAFKA_SASL_PASSWORD_FILE');
    expect(message).not.toContain(SECRET);
  });

  it('is not shown either where it was put into an address', () => {
    for (const before of ['user:', 'SASL_SSL://user:', 'k:9092,user:p@', '']) {
      const { message } = loadError({ flags: { 'kafka.brokers': `${before}${SECRET}@k:9092` } });
      expect(message).toContain('…@k:9092');
      expect(message).not.toContain(SECRET);
    }
  });

  it('is taken as it is written, whatever YAML would make of it', () => {
    for (const written of ['0123', '1e3', 'no', '1_000', '0x1F']) {
      expect(passwordOf({ yaml: `kafka: { sasl: { password: ${written} } }` })).toBe(written);
    }
  });

  it('may not be named twice', () => {
    const env = { HOSTSPOOL_KAFKA_SASL_PASSWORD: SECRET, HOSTSPOOL_KAFKA_SASL_PASSWORD_FILE: secretFile('other') };
    const { message } = loadError({ env });
    expect(message).toBe(
      'kafka.sasl.password: HOSTSPOOL_KAFKA_SASL_PASSWORD and HOSTSPOOL_KAFKA_SASL_PASSWORD_FILE are both set; keep one',
    );
  });
});

describe('a file of a secret that cannot be used', () => {
  const errorOf = (path: string) => loadError({ yaml: `kafka:\n  sasl:\n    password: { file: ${path} }\n` }).message;

  it('is named with its setting and the place that names it', () => {
    const missing = join(scratchDirectory(), 'missing');
    expect(errorOf(missing)).toMatch(
      /^kafka\.sasl\.password: cannot read .*missing: there is no such file \(from .*yaml:3:15\)$/,
    );
    const directory = join(scratchDirectory(), 'd');
    mkdirSync(directory);
    expect(errorOf(directory)).toContain('it is a directory');
    expect(errorOf(secretFile('\n'))).toContain('is empty');
    expect(errorOf(secretFile('x'.repeat(70_000)))).toContain('larger than 64 KiB');
  });

  it.skipIf(process.getuid?.() === 0)('says when this user may not read it', () => {
    const path = secretFile(SECRET);
    chmodSync(path, 0);
    expect(errorOf(path)).toContain('it may not be read by this user');
  });

  it('is an error for a credential too, which is there and cannot be read', () => {
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'sqlserver.password'));
    expect(loadError({ env: { CREDENTIALS_DIRECTORY: directory } }).message).toContain(
      'systemd credential sqlserver.password',
    );
  });
});

describe('a secret that everybody may read', () => {
  it('is a warning for a file of its own', () => {
    const path = secretFile(SECRET, 0o644);
    expect(load({ env: { HOSTSPOOL_KAFKA_SASL_PASSWORD_FILE: path } }).warnings).toEqual([
      `${path}, which holds kafka.sasl.password, may be read by everybody: chmod o-r`,
    ]);
  });

  it('is a warning for a credential, which others than systemd may have put there', () => {
    const directory = scratchDirectory();
    const path = join(directory, 'kafka.sasl.password');
    writeFileSync(path, SECRET, { mode: 0o644 });
    chmodSync(path, 0o644);
    const warnings = () => load({ env: { CREDENTIALS_DIRECTORY: directory } }).warnings;
    expect(warnings()).toEqual([`${path}, which holds kafka.sasl.password, may be read by everybody: chmod o-r`]);
    chmodSync(path, 0o440);
    expect(warnings()).toEqual([]);
  });

  it('is a warning for the settings file, only if it holds one itself', () => {
    const inline = scratchFile(`kafka: { sasl: { password: ${SECRET} } }`, 'a.yaml', 0o644);
    const [warning = ''] = load({ flags: { config: inline } }).warnings;
    expect(warning).toContain('may be read by everybody');
    expect(warning).not.toContain(SECRET);
    const named = scratchFile(`kafka: { sasl: { password: { file: ${secretFile(SECRET)} } } }`, 'b.yaml', 0o644);
    expect(load({ flags: { config: named } }).warnings).toEqual([]);
  });
});

describe('a file that too many people may touch', () => {
  it.each(['kafka.tls.key', 'http.tls.key'])('is a private key that everybody may read: %s', (name) => {
    const others = {
      [name.replace('key', 'cert')]: '/x.pem',
      ...(name.startsWith('kafka') && { 'kafka.tls.enabled': 'true' }),
    };
    const warningsWith = (mode: number) => load({ flags: { ...others, [name]: secretFile('key', mode) } }).warnings;
    expect(warningsWith(0o644)).toEqual([
      expect.stringContaining(`the private key of ${name}, may be read by everybody`),
    ]);
    expect(warningsWith(0o640)).toEqual([]);
  });

  it('is a spool in a directory where everybody may put links, for whoever has a spool', () => {
    const directory = scratchDirectory();
    chmodSync(directory, 0o1777);
    const flags = { 'spool.path': join(directory, 'spool.db') };
    expect(load({ flags }).warnings).toEqual([expect.stringContaining('may be written by everybody')]);
    expect(load({ flags: { ...flags, mode: 'writer', 'writer.sink': 'sqlite' } }).warnings).toEqual([]);
    chmodSync(directory, 0o770);
    expect(load({ flags }).warnings).toEqual([]);
  });
});

it('is in no message, however the file is broken around it', () => {
  const broken = [
    `kafka:\n  sasl:\n    password: "${SECRET}" x\n`,
    `kafka:\n  sasl:\n\tpassword: ${SECRET}\n`,
    `kafka:\n  sasl:\n    password ${SECRET}\n`,
    `kafka:\n  sasl:\n    password: ${SECRET}\n    password: ${SECRET}\n`,
    `kafka:\n  sasl: password ${SECRET}\n`,
    `kafka:\n  sasl:\n    pasword: ${SECRET}\n`,
    `kafka:\n  sasl:\n    password: *${SECRET}\n`,
    `kafka:\n  sasl:\n    password: !${SECRET} x\n`,
    `kafka:\n  sasl:\n    password: [${SECRET}]\n`,
    `kafka:\n  sasl:\n    password: { fil: ${SECRET} }\n`,
    `kafka:\n  sasl:\n    password: @${SECRET}\n`,
    `kafka:\n  sasl:\n    password: "\\q${SECRET}"\n`,
    `kafka:\n  sasl:\n    password: a: ${SECRET}\n`,
    `password ${SECRET}`,
  ];
  for (const yaml of broken) {
    const error = loadError({ yaml });
    expect(error.message, yaml).not.toContain('hunter2');
    expect(error.message.split('\n'), yaml).toHaveLength(1);
    expect(error.cause).toBeUndefined();
  }
});
