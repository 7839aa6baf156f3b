/**
 * Variables of Node's own that would take a safeguard away without a word: they are taken out of the environment before
 * anything connects, and said.
 *
 * NODE_TLS_REJECT_UNAUTHORIZED=0 makes Node believe any certificate wherever a library leaves the choice to it, as
 * tedious does for `sqlserver.encrypt: strict`. Whoever wants that of SQL Server has a setting for it, which warns.
 */
const VARIABLE = 'NODE_TLS_REJECT_UNAUTHORIZED';

/** Answers a warning for each that was taken out. */
export function takeOutUnsafe(env: NodeJS.ProcessEnv): readonly string[] {
  const value = env[VARIABLE];
  if (value === undefined) return [];
  delete env[VARIABLE];
  return value === '0' ? [`${VARIABLE}=0 in the environment is ignored: certificates are checked all the same`] : [];
}
