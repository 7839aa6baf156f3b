/**
 * Text of others as a terminal may show it: what would move its cursor, or turn the direction of a line, is escaped.
 * Old terminals take U+0080 to U+009F for commands too.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** Of these JSON writes those below a blank as escapes by itself; its own line breaks stay. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** In JSON: what is unsafe as it is, and each pair of a backslash and what follows; named: those that stand for such. */
const ESCAPED = new RegExp(`\\\\(?:(u00[01][0-9a-f]|[bfr])|.)|${UNSAFE_IN_JSON.source}`, 'g');

/** On one line. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const escaped = JSON.stringify(character).slice(1, -1);
    return escaped.length > 1 ? escaped : codeOf(character);
  });
}

/** Lines, each with its end; a line break in one of them (a stack, a list of problems) is ours. */
export function printableLines(lines: readonly string[]): string {
  return lines
    .flatMap((line) => line.split('\n'))
    .map((line) => `${printable(line)}\n`)
    .join('');
}

/** JSON that says the same: in valid JSON such characters are in texts only, where they may be written so. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE_IN_JSON, codeOf);
}

/** JSON whose texts a terminal may show once they are taken out of it; line breaks and tabs in them stay. */
export function printableTexts(json: string): string {
  return json.replace(ESCAPED, (found, unsafe: string | undefined) => {
    if (unsafe !== undefined) return `\\${found}`;
    return found.length > 1 ? found : `\\${codeOf(found)}`;
  });
}

function codeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
