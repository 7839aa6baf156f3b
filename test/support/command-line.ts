/**
 * The arguments of the programs that people run by hand: storm, soak, bench. What is wrong is told in one line, with what
 * is allowed, and ends the program with exit code 2.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';

export class WrongArgument extends Error {}

/** What `parseArgs` answers. Throws WrongArgument. */
export function readArguments<Config extends ParseArgsConfig>(config: Config): ReturnType<typeof parseArgs<Config>> {
  const names = Object.keys(config.options ?? {})
    .map((name) => `--${name}`)
    .join(', ');
  try {
    return parseArgs(config);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const what = /'(-*[^' ]*)/.exec(message)?.[1] ?? '';
    switch (code) {
      case 'ERR_PARSE_ARGS_UNKNOWN_OPTION':
        throw new WrongArgument(`there is no option ${what}; there are ${names}`);
      case 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL':
        throw new WrongArgument(`${what} belongs to no option; after a -- (npm's own) there may stand ${names}`);
      case 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE':
        throw new WrongArgument(
          message.includes('does not take an argument') ? `${what} takes no value` : `${what} lacks its value`,
        );
      default:
        throw error;
    }
  }
}

export interface Bounds {
  readonly least: number;
  readonly most: number;
}

export function wholeNumber(option: string, text: string, { least, most }: Bounds): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new WrongArgument(`--${option} is a whole number from ${least} to ${most}, not ${quoted(text)}`);
}

/** Of minutes: more than nothing. */
export function duration(option: string, text: string, most: number): number {
  const number = Number(text);
  if (text.trim() !== '' && number > 0 && number <= most) return number;
  throw new WrongArgument(`--${option} is a number above 0, ${most} at the most, not ${quoted(text)}`);
}

export function oneOf<Name extends string>(option: string, text: string, names: readonly Name[]): Name {
  const name = names.find((each) => each === text);
  if (name !== undefined) return name;
  throw new WrongArgument(`--${option} is one of ${names.map(spaced).join(', ')}, not ${quoted(text)}`);
}

export function refuse(program: string, why: string): never {
  process.stderr.write(`${program}: ${why}\n`);
  process.exit(2);
}

/** What `read` answers; where it finds an argument wrong the program ends. */
export function orRefuse<Answer>(program: string, read: () => Answer): Answer {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WrongArgument)) throw error;
    return refuse(program, error.message);
  }
}

const quoted = (text: string) => (text === '' ? 'an empty text' : spaced(text));
const spaced = (text: string) => (text.includes(' ') ? `'${text}'` : text);
