/**
 * Turns what the system or PostgreSQL's log says into one sentence for the person at the terminal: what is
 * wrong and how to mend it. What is not recognised is passed on as PostgreSQL's own last words, with the
 * place of the whole log.
 */
import { ConfigError, StoreError } from '../errors.ts'
import type { RowbeatError } from '../errors.ts'

const NOT_OURS = ['EACCES', 'EPERM', 'EROFS']
const NO_ROOM = ['ENOSPC', 'EDQUOT']

/** A file operation in the data directory failed. */
export function dataDirTrouble(dataDir: string, cause: NodeJS.ErrnoException): RowbeatError {
  const { code, message } = cause
  if (code && NO_ROOM.includes(code)) return diskFull(dataDir, cause)
  if (code && NOT_OURS.includes(code)) {
    return new ConfigError(
      `${dataDir} cannot be written by this user: give it to this user (chown), or set ROWBEAT_DATA_DIR ` +
        'to a directory that can be written.',
      { cause },
    )
  }
  return new ConfigError(
    `${dataDir} cannot be used as data directory (${message}): set ROWBEAT_DATA_DIR to another one.`,
    { cause },
  )
}

/** `initdb` or `postgres` ended; `words` is what it printed. */
export function programTrouble(dataDir: string, words: string, log: string): RowbeatError {
  if (/No space left on device|Disk quota exceeded/.test(words)) return diskFull(dataDir, words)
  if (/Permission denied|has wrong ownership|Read-only file system/.test(words)) {
    return new ConfigError(
      `The database files in ${dataDir} belong to another user or cannot be written: start as that ` +
        'user, or give them to this one (chown -R).',
      { cause: words },
    )
  }
  if (/could not look up effective user ID/.test(words)) {
    return new ConfigError(
      `This user (uid ${process.getuid?.()}) has no name on this machine, and PostgreSQL needs one: add ` +
        'it to /etc/passwd, start as another user, or set DATABASE_URL.',
      { cause: words },
    )
  }
  const lines = words.trim().split('\n')
  const last = lines.findLast((line) => /FATAL|PANIC|error:/.test(line)) ?? lines.at(-1)
  return new StoreError(
    'RB_DB_UNREACHABLE',
    `The built-in PostgreSQL did not start: ${last || 'it said nothing'}; its whole log is ${log}.`,
  )
}

function diskFull(dataDir: string, cause: unknown): StoreError {
  return new StoreError(
    'RB_DB_UNREACHABLE',
    `The disk that holds ${dataDir} is full: free some space, or set ROWBEAT_DATA_DIR to a directory on ` +
      'another disk.',
    { cause },
  )
}
