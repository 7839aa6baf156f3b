import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mkfifoSync } from './mkfifo.ts';
import { load, loadError, scratchDirectory, scratchFile } from './scratch.ts';

describe('the settings file', () => {
  it('is a mapping of groups, in block or flow style', () => {
    const { settings } = load({
      yaml: [
        'mode: agent',
        'collect:',
        '  interval: 250ms',
        'kafka:',
        '  brokers:',
        '    - k1:9092',
        '    - "[::1]:9093"',
        '  tls: { enabled: yes, ca: /etc/ca.pem }',
        'ship: { max_rate: 500 }',
        'spool: { min_free: 10% }',
      ].join('\n'),
    });
    expect(settings.collect.interval).toBe(250);
    expect(settings.kafka.brokers).toEqual(['k1:9092', '[::1]:9093']);
    expect(settings.kafka.tls).toEqual({ enabled: true, ca: '/etc/ca.pem' });
    expect(settings.ship.max_rate).toBe(500);
    expect(settings.spool.min_free).toEqual({ percent: 10 });
  });

  it.each([
    ['an empty file', ''],
    ['comments only', '# nothing here\n'],
    ['a byte order mark', '\uFEFFmode: agent\n'],
    ['Windows line ends', 'mode: agent\r\ncollect:\r\n  interval: 5s\r\n'],
    ['a group whose settings are all commented out', 'spool:\n#  path: /x\nkafka:\n  tls:\n'],
    ['a setting without a value', 'spool:\n  path:\nkafka: { topic: ~, group: null }\n'],
    ['a document marker', '%YAML 1.2\n---\nmode: agent\n...\n'],
  ])('may be %s, which changes nothing', (_, yaml) => {
    expect(load({ yaml }).settings).toEqual(load({}).settings);
  });

  it('takes a list as text too, separated by commas', () => {
    expect(load({ yaml: 'kafka: { brokers: "a:1, b:2" }' }).settings.kafka.brokers).toEqual(['a:1', 'b:2']);
  });
});

describe('a broken file gives one line with its place', () => {
  it.each([
    ['a tab as indentation', 'spool:\n\tpath: /x\n', ':2:1: a tab indents this line; YAML allows only spaces'],
    ['a key that is there twice', 'mode: agent\nmode: local\n', ':2:1: this key is there twice'],
    ['a group that is there twice', 'spool: { path: /x }\nspool: { path: /y }\n', ':2:1: this key is there twice'],
    ['a list at the root', '- mode\n', ':1:1: the file is not a mapping of settings, such as “mode: agent”'],
    ['a scalar at the root', 'agent\n', ':1:1: the file is not a mapping of settings, such as “mode: agent”'],
    ['a bracket that is not closed', 'kafka: { brokers: [a:1\nspool: {}\n', ': '],
    ['two documents', 'mode: agent\n---\nmode: local\n', ': there is more than one document in the file'],
    ['an alias', 'mode: &m agent\nspool: { path: *m }\n', 'spool.path: aliases are not supported'],
    ['a tag', 'mode: !!js/function "x"\n', ':1:7: tags (“!…”) are not supported'],
    ['a value for a group', 'spool: big\n', 'spool is a group of settings, it has no value itself'],
    ['a mapping for a setting', 'mode: { a: b }\n', 'mode: a mapping is not one of agent, writer, local'],
    ['a list for a setting', 'mode: [agent]\n', 'mode: a list is not one of agent, writer, local'],
    ['a list of lists', 'kafka: { brokers: [[a]] }\n', 'kafka.brokers: a list is not host:port'],
    ['a merge key', '<<: { mode: agent }\n', '"<<" is not a setting'],
    ['a key that is no name', '? [a]\n: b\n', ':1:3: a key is a plain name'],
    ['a dotted key', 'kafka.tls.ca: /x\n', '"kafka.tls.ca" is written as a group in a file: kafka: { tls: { ca: … } }'],
  ])('%s', (_, yaml, message) => {
    const error = loadError({ yaml });
    expect(error.message).toContain(message);
    expect(error.message.split('\n')).toHaveLength(1);
  });

  it('aliases that would multiply', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (let level = 1; level < 30; level++) {
      const [to, from] = [String.fromCharCode(97 + level), String.fromCharCode(96 + level)];
      bomb.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(',')}]`);
    }
    expect(loadError({ yaml: bomb.slice(0, 26).join('\n') }).message.length).toBeLessThan(5000);
  });

  it('deep nesting', () => {
    const error = loadError({ yaml: `mode: ${'['.repeat(50_000)}` });
    expect(error.message.split('\n')).toHaveLength(1);
  });
});

describe('what is no settings file', () => {
  const messageOf = (config: string) => loadError({ flags: { config } }).message;

  it('says why, and neither waits nor reads for ever', () => {
    const directory = scratchDirectory();
    expect(messageOf(directory)).toContain(`cannot read ${directory}: it is a directory`);
    const pipe = join(directory, 'pipe');
    mkfifoSync(pipe);
    expect(messageOf(pipe)).toContain(`cannot read ${pipe}: it is not a regular file`);
    expect(messageOf('/dev/zero')).toContain('cannot read /dev/zero: it is not a regular file');
    const large = scratchFile('');
    truncateSync(large, 10 * 1024 * 1024);
    expect(messageOf(large)).toContain(`cannot read ${large}: it is larger than 256 KiB`);
    // The size of this one is told as 0.
    expect(messageOf('/proc/version')).toMatch(/the file is not a mapping|valid YAML|something here|after this key/);
    expect(messageOf(scratchFile(Uint8Array.of(0x6d, 0xff, 0xfe)))).toContain('it is not UTF-8 text');
    expect(messageOf(scratchFile('mode: a\0b'))).toContain('it is not UTF-8 text');
    expect(messageOf(scratchFile(Buffer.from('\uFEFFmode: agent', 'utf16le')))).toContain('it is not UTF-8 text');
  });
});
