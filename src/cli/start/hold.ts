/**
 * One data directory, one `rowbeat start`: the holder writes its pid and its birth into start.json. A holder that was
 * killed with -9, or whose number now belongs to some other process, blocks nobody.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nowMs } from '../../clock.ts'
import { makeDataDir } from '../../embedded/cluster.ts'
import { ownAs } from '../../embedded/record.ts'
import { birthOf } from '../../embedded/remains.ts'
import { dataDirTrouble } from '../../embedded/trouble.ts'
import { ConfigError, RowbeatError } from '../../errors.ts'

interface Holder {
  pid: number
  birth: string
}

/** Takes the directory, made when missing, and answers how to give it back. Throws ConfigError. */
export function holdDataDir(dataDir: string): () => void {
  const file = join(dataDir, 'start.json')
  try {
    makeDataDir(dataDir)
    take(file, dataDir)
    ownAs(dataDir, file)
  } catch (error) {
    throw error instanceof RowbeatError ? error : dataDirTrouble(dataDir, error as NodeJS.ErrnoException)
  }
  return () => rmSync(file, { force: true })
}

function take(file: string, dataDir: string): void {
  const mine: Holder = { pid: process.pid, birth: birthOf(process.pid) ?? '' }
  for (;;) {
    try {
      return writeFileSync(file, JSON.stringify(mine), { flag: 'wx', mode: 0o600 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = readHolder(file)
    if (holder === 'starting' || (holder && birthOf(holder.pid) === holder.birth)) {
      throw new ConfigError(
        `${dataDir} is in use by ${holder === 'starting' ? 'another start' : `the running process ${holder.pid}`}: stop that one, or set ROWBEAT_DATA_DIR to another directory.`,
      )
    }
    rmSync(file, { force: true })
  }
}

/** null for a file that is gone, or was never written to its end by one that is dead; it may be at it right now. */
function readHolder(file: string): Holder | 'starting' | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
    return nowMs() - written < 1000 ? 'starting' : null
  }
}
