/**
 * What handlers say while they run: progress and log lines, gathered and written at most every 200 ms. Progress keeps
 * only its latest value, so a tight loop may report a million times; lines are capped at 1,000 a run. Losing a few of
 * them in a crash is allowed; failing a run because of them is not.
 */
import { nowMs } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { saveLogs, saveProgress, type LogRow, type ProgressRow } from '../db/statements/workers.ts'
import { storable, storableValue } from '../json.ts'
import type { RunEvents } from './events.ts'

export const FLUSH_MS = 200
export const LINES_MAX = 1000

export interface Recorder {
  progress(row: ProgressRow): void
  /** The run ended: its last progress goes with its outcome, so what is pending here is dropped. */
  forget(run: string): void
  line(row: Omit<LogRow, 'at'>): void
  /** Writes what is pending. */
  flush(): Promise<void>
}

export function createRecorder(db: Queryable, events: RunEvents): Recorder {
  const latest = new Map<string, ProgressRow>()
  let lines: LogRow[] = []
  let timer: NodeJS.Timeout | null = null
  let lastFlush = 0
  /** One after the other, so that who waits for what is pending waits for what is on its way too. */
  let writing: Promise<void> = Promise.resolve()

  const write = async (): Promise<void> => {
    timer = null
    lastFlush = nowMs()
    const rows = [...latest.values()]
    const said = lines
    latest.clear()
    lines = []
    try {
      if (rows.length > 0) await saveProgress(db, rows)
      if (said.length > 0) await saveLogs(db, said)
    } catch (error) {
      events.emit('worker:trouble', { what: 'writing progress and logs', error })
    }
  }
  const flush = (): Promise<void> => (writing = writing.then(write))
  const arm = (): void => {
    timer ??= setTimeout(() => void flush(), Math.max(0, FLUSH_MS - (nowMs() - lastFlush)))
  }
  return {
    progress(row) {
      latest.set(row.run, row)
      arm()
    },
    forget: (run) => void latest.delete(run),
    line(row) {
      lines.push({
        ...row,
        at: nowMs(),
        message: storable(row.message, 8192),
        data: storableValue(row.data, 16_384),
      })
      arm()
    },
    async flush() {
      if (timer) clearTimeout(timer)
      await flush()
    },
  }
}
