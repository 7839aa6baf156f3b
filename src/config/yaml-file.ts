/**
 * The YAML file: a mapping of groups to settings, at most three levels deep.
 *
 * It is walked as a syntax tree, never turned into an object: so every value keeps its line and column, a key such as
 * `__proto__` is only an unknown name, and aliases, which could multiply a small file into a large one, are refused
 * where they stand. Scalars are taken as they are written, not as YAML 1.1 or 1.2 would read them: a password `0123`
 * stays that. The parser's own messages are replaced, since they may quote the line of a secret.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { findSetting, isGroup, type SettingEntry } from './catalog.ts';
import { readSmallFile } from './files.ts';
import type { Given, GivenValue } from './given.ts';
import { unknownName } from './problems.ts';
import { readSecret } from './secrets.ts';

const FILE_LIMIT = 256 * 1024;
/** A file of something else altogether is told by its first lines. */
const MOST_PROBLEMS = 20;

/** What the parser's codes mean, for a person who has never read the YAML specification. */
const SYNTAX: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab indents this line; YAML allows only spaces',
  BAD_INDENT: 'this line is indented unlike its neighbours, or a bracket is not closed',
  BLOCK_AS_IMPLICIT_KEY: 'there is a second “key: value” on this line; quote a value that has “: ” in it',
  MULTILINE_IMPLICIT_KEY: 'there is no “: ” after this key',
  MISSING_CHAR: 'a quote, bracket or colon is missing',
  UNEXPECTED_TOKEN: 'there is something here that does not belong; quote a value that has special characters',
  BAD_SCALAR_START: 'quote this value: it begins with a reserved character',
  BAD_DQ_ESCAPE: 'there is a backslash in a double-quoted value; use single quotes',
  MULTIPLE_DOCS: 'there is more than one document in the file',
  BAD_ALIAS: 'aliases are not supported',
  TAG_RESOLVE_FAILED: 'tags (“!…”) are not supported',
};

/** Reads and walks the file; every problem names the line and column. */
export function readYamlFile(path: string): Given {
  const file = readSmallFile(path, FILE_LIMIT);
  if ('problem' in file) {
    const problem = `cannot read ${path}: ${file.problem} (--config names another, --config=/dev/null none)`;
    return { values: [], problems: [problem], warnings: [] };
  }
  const walk = new YamlWalk(path, file.text);
  walk.run();
  const inlineSecret = walk.values.find(({ setting, value }) => setting.secret && walk.isInline(value));
  if (file.worldReadable && inlineSecret !== undefined) {
    walk.warnings.push(
      `${path}, which holds ${inlineSecret.setting.name}, may be read by everybody: chmod o-r, or move it to a file of its own`,
    );
  }
  return walk;
}

class YamlWalk implements Given {
  readonly values: GivenValue[] = [];
  readonly problems: string[] = [];
  readonly warnings: string[] = [];
  readonly #path: string;
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;
  readonly #inline = new Set<unknown>();

  constructor(path: string, text: string) {
    this.#path = path;
    this.#document = parseDocument(text, {
      schema: 'failsafe',
      prettyErrors: false,
      lineCounter: this.#lines,
      // It compares each key with every other, which takes minutes where there are very many; the walk looks itself.
      uniqueKeys: false,
      // Not `silent`, which also takes the first of several documents without a word.
      logLevel: 'error',
    });
  }

  run(): void {
    const [first] = [...this.#document.errors, ...this.#document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
    if (first !== undefined) {
      // Only the first: the others mostly follow from it.
      this.problems.push(`${this.#at(first.pos[0])}: ${SYNTAX[first.code] ?? 'this is not valid YAML'}`);
      return;
    }
    const root = this.#document.contents;
    if (isMap(root)) this.#group(root, '');
    else if (!isUnset(root)) {
      this.problems.push(`${this.#at(start(root))}: the file is not a mapping of settings, such as “mode: agent”`);
    }
    if (this.problems.length > MOST_PROBLEMS) {
      this.problems.splice(MOST_PROBLEMS, Infinity, `${this.#path}: more is wrong behind these`);
    }
  }

  /** Whether this secret was written into the file itself. */
  isInline(value: unknown): boolean {
    return this.#inline.has(value);
  }

  #group(map: YAMLMap, group: string): void {
    const seen = new Set<string>();
    for (const { key, value } of map.items) {
      if (this.problems.length > MOST_PROBLEMS) return;
      const place = this.#at(start(key));
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.problems.push(`${place}: a key is a plain name`);
        continue;
      }
      if (seen.has(key.value)) {
        this.problems.push(`${place}: this key is there twice`);
        continue;
      }
      seen.add(key.value);
      this.#member(key.value, group === '' ? key.value : `${group}.${key.value}`, value as Node | null, place);
    }
  }

  #member(key: string, name: string, node: Node | null, place: string): void {
    const setting = findSetting(name);
    if (isAlias(node)) this.problems.push(`${name}: aliases are not supported (from ${this.#at(start(node))})`);
    else if (key.includes('.') && findSetting(key) !== undefined) {
      this.problems.push(`${JSON.stringify(key)} is written as a group in a file: ${nested(key)} (from ${place})`);
    } else if (setting !== undefined) this.#setting(setting, node, place);
    else if (!isGroup(name) || name === '') this.problems.push(unknownName(name, name, place, (right) => right));
    else if (isMap(node)) this.#group(node, name);
    else if (!isUnset(node))
      this.problems.push(`${name} is a group of settings, it has no value itself (from ${place})`);
  }

  #setting(setting: SettingEntry, node: Node | null, place: string): void {
    if (isUnset(node)) return;
    const origin = this.#at(start(node));
    const source = { kind: 'file', name: `${this.#path}:${this.#lines.linePos(start(node)).line}` } as const;
    if (isScalar(node)) {
      const value = String(node.value);
      if (setting.secret) this.#inline.add(value);
      this.values.push({ setting, value, source, origin });
    } else if (setting.secret && isMap(node)) {
      const path = node.items.length === 1 ? node.get('file') : undefined;
      if (typeof path !== 'string' || path === '') {
        this.problems.push(`${setting.name}: not ${setting.allowed} (from ${place})`);
        return;
      }
      const read = readSecret(setting, path, source, origin);
      this.values.push(...read.values);
      this.problems.push(...read.problems);
      this.warnings.push(...read.warnings);
    } else if (setting.kind === 'list' && isSeq(node) && node.items.every((item) => isScalar(item))) {
      this.values.push({
        setting,
        value: node.items.map((item) => String((item as { value: unknown }).value)),
        source,
        origin,
      });
    } else {
      const kind = isMap(node) ? 'a mapping' : 'a list';
      this.problems.push(`${setting.name}: ${kind} is not ${setting.allowed} (from ${origin})`);
    }
  }

  #at(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#path}:${line}:${col}`;
  }
}

/** A key without a value, `~` or `null`: as if it were not there. */
function isUnset(node: unknown): boolean {
  if (node === null || node === undefined) return true;
  return isScalar(node) && node.type === 'PLAIN' && ['', '~', 'null'].includes(String(node.value));
}

function start(node: unknown): number {
  return (node as ParsedNode | null)?.range?.[0] ?? 0;
}

/** `spool: { path: … }` for `spool.path`. */
function nested(name: string): string {
  const [first = '', ...rest] = name.split('.');
  return rest.length === 0 ? `${first}: …` : `${first}: { ${nested(rest.join('.'))} }`;
}
