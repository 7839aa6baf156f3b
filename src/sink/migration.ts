/** A step of a database's schema: a numbered file in sql/ or sql/sqlite/. */
export interface Migration {
  /** 1, 2, 3 …; a number is never used again for anything else. */
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}
