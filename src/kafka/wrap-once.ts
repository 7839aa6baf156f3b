/** How parts of kafkajs are made to behave otherwise. */

const WRAPPED = Symbol.for('hostspool.wrapped');

/**
 * Puts in the place of a class's method what `wrap` makes of it: once per process, however often it is called and
 * whoever else has a copy of this module.
 */
export function wrapOnce<Class extends object, Name extends keyof Class>(
  prototype: Class,
  name: Name,
  wrap: (original: Class[Name]) => Class[Name],
): void {
  const original = prototype[name];
  if ((original as { [WRAPPED]?: true })[WRAPPED]) return;
  prototype[name] = Object.assign(wrap(original) as object, { [WRAPPED]: true }) as Class[Name];
}
