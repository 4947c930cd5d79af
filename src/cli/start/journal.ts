/**
 * What the processes of `rowbeat start` log: every line goes into rowbeat.log of the data directory as JSON; warnings and
 * errors (everything, when ROWBEAT_LOG_LEVEL is debug or trace) are also told on stderr as a person reads them. Each
 * process writes by itself, so a line is not lost when the supervisor is killed.
 */
import { closeSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../config.ts'
import { ownAs } from '../../embedded/record.ts'
import { createLogger } from '../../log.ts'
import { tell } from '../words.ts'

const BYTES_MAX = 10_000_000
const WARN = 40

export const journalFile = (dataDir: string): string => join(dataDir, 'rowbeat.log')

export function openJournal({ dataDir, logLevel }: Config, role: string): ReturnType<typeof createLogger> {
  const fd = openSync(journalFile(dataDir), 'a', 0o600)
  const shown = ['debug', 'trace'].includes(logLevel) ? 0 : WARN
  const write = (line: string): void => {
    try {
      writeSync(fd, line)
    } catch {
      // The disk is full: what is worth a person's eye is still told below.
    }
    const entry = JSON.parse(line) as Entry
    if (entry.level >= shown) tell(readable(entry))
  }
  return createLogger({ level: logLevel, role, to: { write } })
}

/** A big journal is set aside: at most two of them are kept. Called while nobody writes. */
export function rotateJournal(dataDir: string): void {
  const file = journalFile(dataDir)
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > BYTES_MAX) renameSync(file, `${file}.1`)
  closeSync(openSync(file, 'a', 0o600))
  ownAs(dataDir, file)
}

interface Entry {
  level: number
  time: number
  role: string
  msg: string
  [fact: string]: unknown
}

const LEVELS: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

/** `14:02:07 worker error  run failed: demo.fail 0199…: Error: boom` */
function readable({ level, time, role, msg, ...facts }: Entry): string {
  const clock = new Date(time).toTimeString().slice(0, 8)
  const details = [facts.task, facts.run, describeError(facts.err ?? facts.error)].filter(Boolean).join(' ')
  return `${clock} ${role} ${(LEVELS[level] ?? '').padEnd(5)} ${msg}${details ? `: ${details}` : ''}`
}

function describeError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error ?? '')
  const { name, type, message } = error as { name?: string; type?: string; message?: string }
  return `${name ?? type ?? 'Error'}: ${(message ?? '').split('\n', 1)[0]}`
}
