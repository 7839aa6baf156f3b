/** An error as SQL Server answers it: a number, a severity, a text. */
export class SqlError extends Error {
  readonly number: number;
  readonly severity: number;

  constructor(number: number, message?: string, severity?: number) {
    super(message ?? MESSAGES[number] ?? `An error that the test asked for: ${number}.`);
    this.number = number;
    this.severity = severity ?? SEVERITIES[number] ?? 16;
  }

  /** From severity 20 on the server ends the connection. */
  get fatal(): boolean {
    return this.severity >= 20;
  }
}

const MESSAGES: Readonly<Record<number, string>> = {
  208: "Invalid object name 'dbo.server_metrics'.",
  229: "The INSERT permission was denied on the object 'server_metrics', database 'monitoring', schema 'dbo'.",
  262: "CREATE TABLE permission denied in database 'monitoring'.",
  266: 'Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements. Previous count = 0, current count = 1.',
  515: 'Cannot insert the value NULL into a column; column does not allow nulls. INSERT fails.',
  547: 'The INSERT statement conflicted with a CHECK constraint.',
  1205: 'Transaction (Process ID 51) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.',
  1222: 'Lock request time out period exceeded.',
  2627: 'Violation of UNIQUE KEY constraint. Cannot insert duplicate key in object.',
  2628: "String or binary data would be truncated in table 'monitoring.dbo.server_metrics', column 'hostname'.",
  3902: 'The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.',
  3903: 'The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.',
  4060: 'Cannot open database requested by the login. The login failed.',
  4815: 'Received an invalid column length from the bcp client.',
  4816: 'Invalid column type from bcp client.',
  8115: 'Arithmetic overflow error converting numeric to data type numeric.',
  8152: 'String or binary data would be truncated.',
  9002: "The transaction log for database 'monitoring' is full due to 'LOG_BACKUP'.",
  18456: "Login failed for user 'hostspool'.",
  33557097: 'numeric field overflow',
  40613: "Database 'monitoring' on server 'double' is not currently available. Please retry the connection later.",
};

const SEVERITIES: Readonly<Record<number, number>> = {
  229: 14,
  262: 14,
  1205: 13,
  2627: 14,
  4060: 11,
  9002: 17,
  18456: 14,
  40613: 17,
};
