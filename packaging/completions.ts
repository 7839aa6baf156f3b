/**
 * Completions for bash and zsh, with everything in them: asking the executable at each Tab would cost a third of a
 * second.
 */
import { type SettingEntry, settingEntries } from '../src/config/catalog.ts';
import type { CommandNode, CommandOption } from './command-tree.ts';

const settingFlags = settingEntries.filter(({ secret }) => !secret);

/** Options of a command, the settings among them. */
function optionsOf(node: CommandNode): CommandOption[] {
  const settings = node.takesSettings ? [CONFIG, ...settingFlags.map(flagOf)] : [];
  return [...node.options, HELP, ...settings];
}

const HELP: CommandOption = { name: 'help', description: 'Show this help.', takesValue: false, choices: [] };
const CONFIG: CommandOption = { name: 'config', description: 'The settings file.', takesValue: true, choices: [] };

function flagOf({ name, description, choices = [], kind }: SettingEntry): CommandOption {
  const [first = ''] = description.split(/(?<=\.) /);
  return { name, description: first, takesValue: true, choices: kind === 'boolean' ? ['true', 'false'] : choices };
}

/** Every node, those that only hold others too, outer ones first. */
function all(nodes: readonly CommandNode[]): CommandNode[] {
  return nodes.flatMap((node) => [node, ...all(node.commands)]);
}

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

export function bashCompletion(commands: readonly CommandNode[]): string {
  const nodes = all(commands);
  const top = commands.map(({ words }) => words.at(-1) ?? '').filter((word) => word !== '');
  const cases = nodes.map((node) => {
    const words = node.words.length === 0 ? top : node.commands.map(({ words: [...path] }) => path.at(-1) ?? '');
    const options = optionsOf(node).map(({ name, takesValue }) => `--${name}${takesValue ? '=' : ''}`);
    return `    ${quote(node.words.join(' '))}) words=${quote(words.join(' '))}; options=${quote(options.join(' '))} ;;`;
  });
  const choices = new Map<string, readonly string[]>();
  for (const option of nodes.flatMap(optionsOf))
    if (option.choices.length > 0) choices.set(option.name, option.choices);
  const values = [...choices].map(([name, allowed]) => `    --${name}) values=${quote(allowed.join(' '))} ;;`);
  const holders = nodes.filter(({ commands: below }) => below.length > 0).map(({ words }) => words.join(' '));
  return `# bash completion for hostspool
_hostspool() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command='' word words options values=''
  local -a given=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
  # The line is broken at = as well: --name = value.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $previous in
${values.join('\n')}
    --config | --spool | *.path | *.ca | *.cert | *.key) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  if [[ -n $values ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    return
  fi
  for word in "\${given[@]}"; do
    [[ $word == -* ]] && break
    if [[ -z $command ]]; then
      command=$word
    elif [[ ${holders.map((words) => `$command == ${quote(words)}`).join(' || ')} ]]; then
      command="$command $word"
    fi
  done
  case $command in
${cases.join('\n')}
    *) return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    [[ \${COMPREPLY[0]:-} == *= ]] && compopt -o nospace
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}
complete -F _hostspool hostspool
`;
}

export function zshCompletion(commands: readonly CommandNode[]): string {
  const functions = commands.map(zshFunction);
  return `#compdef hostspool
${functions.join('\n')}
_hostspool() {
  local -a commands
  commands=(
${commands
  .filter(({ words }) => words.length > 0)
  .map((node) => `    ${zshCommand(node)}`)
  .join('\n')}
  )
  if (( CURRENT == 2 )) && [[ \${words[2]} != -* ]]; then
    _describe command commands
    return
  fi
  case \${words[2]} in
${commands
  .filter(({ words }) => words.length > 0)
  .map(({ words }) => `    ${words.join(' ')}) shift words; (( CURRENT-- )); ${nameOf(words)} ;;`)
  .join('\n')}
    *) ${nameOf([])} ;;
  esac
}

_hostspool "$@"
`;
}

function zshFunction(node: CommandNode): string {
  if (node.commands.length === 0) return `${nameOf(node.words)}() {\n  _arguments -s \\\n${zshOptions(node)}\n}\n`;
  const depth = 2;
  return `${node.commands.map(zshFunction).join('\n')}
${nameOf(node.words)}() {
  local -a commands
  commands=(
${node.commands.map((below) => `    ${zshCommand(below)}`).join('\n')}
  )
  if (( CURRENT == ${depth} )); then
    _describe command commands
    return
  fi
  case \${words[2]} in
${node.commands.map(({ words }) => `    ${words.at(-1)}) shift words; (( CURRENT-- )); ${nameOf(words)} ;;`).join('\n')}
  esac
}
`;
}

function zshOptions(node: CommandNode): string {
  const lines = optionsOf(node).map(({ name, description, takesValue, choices }) => {
    const text = description.replaceAll(/[[\]\\:]/g, (character) => `\\${character}`);
    if (!takesValue) return `    ${quote(`--${name}[${text}]`)}`;
    const values = choices.length > 0 ? `(${choices.join(' ')})` : isFile(name) ? '_files' : '';
    return `    ${quote(`--${name}=[${text}]:value:${values}`)}`;
  });
  return lines.join(' \\\n');
}

function isFile(name: string): boolean {
  return ['config', 'spool'].includes(name) || /\.(path|ca|cert|key)$/.test(name);
}

function zshCommand({ words, description }: CommandNode): string {
  return quote(`${words.at(-1)}:${description.replaceAll(':', '\\:')}`);
}

function nameOf(words: readonly string[]): string {
  return ['_hostspool_command', ...words].join('_').replaceAll('-', '_');
}
