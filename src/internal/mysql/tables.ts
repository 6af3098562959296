/**
 * The tables, by their quoted names, and the statements that make them.
 */

export interface Tables {
  /** What is stored. */
  readonly scopes: string
  /** When which row may be deleted: for those alone that do not stay for ever. */
  readonly expiring: string
  /** What has changed lately, while somebody watches. */
  readonly hints: string
}

/** How long names and revisions may be, in bytes. */
export const nameBytes = 512
export const revisionBytes = 1024

/** The tables that go by a name, with or without that of its database; `undefined` when it is none. */
export const named = (name: string): Tables | undefined => {
  if (!/^([\w$]{1,64}\.)?[\w$]{1,55}$/.test(name)) return undefined
  const quoted = (end: string) => `${name}${end}`.split(".").map((part) => `\`${part}\``).join(".")
  return { scopes: quoted(""), expiring: quoted("_expiring"), hints: quoted("_hints") }
}

export const create = ({ expiring, hints, scopes }: Tables): ReadonlyArray<string> => [
  `CREATE TABLE IF NOT EXISTS ${scopes} (
  name VARBINARY(${nameBytes}) NOT NULL PRIMARY KEY,
  revision VARBINARY(${revisionBytes}) NOT NULL,
  data LONGBLOB NULL,
  expires_at BIGINT NULL,
  gone_at BIGINT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`,
  `CREATE TABLE IF NOT EXISTS ${expiring} (
  name VARBINARY(${nameBytes}) NOT NULL PRIMARY KEY,
  due_at BIGINT NOT NULL,
  KEY due_at (due_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`,
  `CREATE TABLE IF NOT EXISTS ${hints} (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARBINARY(${nameBytes}) NOT NULL,
  at BIGINT NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`
]

/**
 * From the first table that there was, which had no `gone_at`, and an index on `expires_at`. Each of them may be run again:
 * what is half done is gone on with, and the index goes last.
 */
export const upgrade = ({ expiring, scopes }: Tables, hasGoneAt: boolean): ReadonlyArray<string> => [
  ...(hasGoneAt ? [] : [`ALTER TABLE ${scopes} ADD COLUMN gone_at BIGINT NULL`]),
  `UPDATE ${scopes} SET gone_at=IF(data IS NULL,expires_at,expires_at+600000000),` +
  `expires_at=IF(data IS NULL,NULL,expires_at) WHERE expires_at IS NOT NULL AND gone_at IS NULL`,
  `INSERT INTO ${expiring} (name,due_at) SELECT name,gone_at FROM ${scopes} WHERE gone_at IS NOT NULL ` +
  `ON DUPLICATE KEY UPDATE due_at=gone_at`,
  `ALTER TABLE ${scopes} DROP KEY expires_at`
]
