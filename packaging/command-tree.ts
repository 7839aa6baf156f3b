/**
 * The commands and their options, as the manual page and the completions need them: taken from the very declarations
 * that make `--help`, by letting each command declare itself to a listener instead of a parser.
 */
import type { Argv, CommandModule, Options } from 'yargs';
import { findSetting } from '../src/config/catalog.ts';

export interface CommandOption {
  readonly name: string;
  readonly description: string;
  /** Whether it takes a value. */
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

export interface CommandNode {
  /** Words after `hostspool`; none for the service itself. */
  readonly words: readonly string[];
  /** What stands after the words: `<name..>`. */
  readonly positionals: string;
  readonly description: string;
  /** Its own options, without the settings. */
  readonly options: readonly CommandOption[];
  /** Whether it takes the settings as options. */
  readonly takesSettings: boolean;
  readonly commands: readonly CommandNode[];
}

class Listener {
  readonly options = new Map<string, Options>();
  readonly commands: CommandModule[] = [];

  /** Stands in for the parser: whatever a command calls that declares nothing is taken and forgotten. */
  readonly parser: Argv = new Proxy({} as Argv, {
    get: (_, name) => {
      return (...given: unknown[]) => {
        if (name === 'option' || name === 'positional') this.#add(String(given[0]), given[1] as Options);
        if (name === 'options') {
          for (const [key, options] of Object.entries(given[0] as Record<string, Options>)) this.#add(key, options);
        }
        if (name === 'command') this.commands.push(...([given[0]].flat() as CommandModule[]));
        return this.parser;
      };
    },
  });

  #add(name: string, options: Options): void {
    this.options.set(name, options);
  }
}

export function commandNodes(modules: readonly CommandModule[], above: readonly string[] = []): CommandNode[] {
  return modules.map((module) => {
    const listener = new Listener();
    if (typeof module.builder === 'function') void module.builder(listener.parser);
    const [word = '', ...positionals] = String(module.command).split(' ');
    const words = word === '$0' ? [] : [...above, word];
    const names = new Set(positionals.map((written) => written.replaceAll(/[<>[\].]/g, '')));
    return {
      words,
      positionals: positionals.join(' '),
      description: String(module.describe),
      options: [...listener.options]
        .filter(([name]) => name !== 'config' && findSetting(name) === undefined && !names.has(name))
        .map(([name, options]) => optionOf(name, options)),
      takesSettings: listener.options.has('config'),
      commands: commandNodes(listener.commands, words),
    };
  });
}

function optionOf(name: string, { type, describe, choices = [] }: Options): CommandOption {
  return {
    name,
    description: describe ?? '',
    takesValue: type !== 'boolean',
    choices: choices.map(String),
  };
}

/** Every command that runs, in order; those that only hold others are left out. */
export function runnable(nodes: readonly CommandNode[]): CommandNode[] {
  return nodes.flatMap((node) => (node.commands.length > 0 ? runnable(node.commands) : [node]));
}
