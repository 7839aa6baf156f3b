/** The little of roff's man macros that the manual pages need. */

/** Text as roff takes it: nothing in it is a request, hyphens that are typed stay hyphens, no character is unknown. */
export function plain(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('–', '\\(en')
    .replaceAll('…', '...')
    .replaceAll('’', '\\(cq')
    .replaceAll('`', '\\(ga')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha');
  return escaped.replaceAll(/^([.'])/gm, '\\&$1');
}

/** Text in which `code` is set bold. */
export function marked(text: string): string {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 1 ? `\\fB${plain(part)}\\fR` : plain(part)))
    .join('');
}

/** A word in the face of the same position of man's .B and .I. */
export const bold = (text: string): string => `\\fB${plain(text)}\\fR`;
export const italic = (text: string): string => `\\fI${plain(text)}\\fR`;

export interface PageHeading {
  readonly name: string;
  readonly section: number;
  readonly date: string;
  readonly version: string;
}

export function heading({ name, section, date, version }: PageHeading): string {
  const quoted = ['hostspool', version].join(' ');
  return `.\\" Made by scripts/package.ts.\n.TH ${name.toUpperCase()} ${section} "${date}" "${quoted}" "hostspool"\n.nh\n.ad l`;
}

export const section = (title: string): string => `.SH ${title.toUpperCase()}`;
export const subsection = (title: string): string => `.SS "${plain(title)}"`;
export const paragraph = (text: string): string => `.PP\n${text}`;

/** A term and what it means. */
export function item(term: string, ...texts: readonly string[]): string {
  return `.TP\n${term}\n${texts.join('\n.br\n')}`;
}

/** Lines as they are, indented. */
export function example(text: string): string {
  return `.PP\n.RS 4\n.nf\n${plain(text)}\n.fi\n.RE`;
}
