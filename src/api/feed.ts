/**
 * The runs that somebody watches, and the news about them: one LISTEN and one poll for all streams of this process.
 *
 *   NOTIFY rowbeat_runs ─► dirty ─► read in one statement, at most 5 times a second each ─► followers, when it changed
 *   every second ────────► dirty    (the least recently read ones, and those whose start a worker listed)
 *
 * NOTIFY tells of progress and ends, and may get lost; a start tells nobody, because that would cost each run a
 * statement. So every second the watched runs are read again, oldest look first, at most POLL_MAX of them; when more
 * are watched, the workers' lists say which have started or stopped. 5,000 idle streams cost what 500 do.
 */
import { createHash } from 'node:crypto'
import { monotonicMs } from '../clock.ts'
import { toQueryable, type DatabaseHandle } from '../db/handle.ts'
import { listen, type Listener } from '../db/listen.ts'
import { readRunningIds, readRuns } from '../db/statements/list-runs.ts'
import { isFinished, parseRun, type RunDocument, type RunState } from '../results/run.ts'

/** What a follower is told: the run's JSON as REST answers it, or null when the run is gone (forgotten, expired). */
export type Follower = (news: { json: string; state: RunState } | null) => void

export interface RunFeed {
  /** Tells `follower` of each change after `run`, until it has finished. Answers how to stop. */
  follow(run: RunDocument, follower: Follower): () => void
  close(): Promise<void>
}

const SPACING_MS = 200
const POLL_MS = 1000
const POLL_MAX = 500

interface Entry {
  /** Each with the digest of what it was told last: whoever joins late may have read before the others were told. */
  followers: Map<Follower, string>
  /** Digest of the text the database gave last; empty when somebody joined since. */
  text: string
  state: RunState
  /** Not read again before this, so that nobody is told more than five times a second. */
  dueMs: number
}

export function createRunFeed(handle: DatabaseHandle, onProblem: (error: unknown) => void): RunFeed {
  const db = toQueryable(handle)
  /** In order of their last look, oldest first. */
  const entries = new Map<string, Entry>()
  const dirty = new Set<string>()
  const state = { reading: false, closed: false, pausedMs: 0 }
  let listener: Listener | null | undefined
  let poll: NodeJS.Timeout | undefined
  let timer: NodeJS.Timeout | undefined

  const mark = (ids: Iterable<string>): void => {
    for (const id of ids) if (entries.has(id)) dirty.add(id)
    pump()
  }
  const dueOf = (id: string): number => Math.max(state.pausedMs, entries.get(id)?.dueMs ?? 0)
  const pump = (): void => {
    clearTimeout(timer)
    if (state.reading || state.closed || dirty.size === 0) return
    const now = monotonicMs()
    let soonest = Infinity
    const batch: string[] = []
    for (const id of dirty) {
      if (dueOf(id) > now) soonest = Math.min(soonest, dueOf(id))
      else if (batch.push(id) === POLL_MAX) break
    }
    if (batch.length > 0) void look(batch)
    else timer = setTimeout(pump, Math.ceil(soonest - now))
  }

  const look = async (batch: readonly string[]): Promise<void> => {
    for (const id of batch) dirty.delete(id)
    state.reading = true
    try {
      const rows = new Map((await readRuns(db, batch)).map(({ id, run }) => [id, run]))
      for (const id of batch) compare(id, rows.get(id) ?? null)
    } catch (error) {
      for (const id of batch) dirty.add(id)
      state.pausedMs = monotonicMs() + POLL_MS
      onProblem(error)
    }
    state.reading = false
    pump()
  }

  const compare = (id: string, text: string | null): void => {
    const entry = entries.get(id)
    if (!entry) return
    entries.delete(id)
    if (text === null) return tell(entry, null, '')
    entries.set(id, entry)
    const digest = digestOf(text)
    if (digest === entry.text) return
    const run = parseRun(text)
    const json = JSON.stringify(run)
    entry.text = digest
    entry.state = run.state
    if (isFinished(run.state)) entries.delete(id)
    tell(entry, { json, state: run.state }, digestOf(json))
  }

  const sweep = async (): Promise<void> => {
    if (entries.size > POLL_MAX) {
      const running = new Set(await readRunningIds(db))
      for (const [id, entry] of entries)
        if (running.has(id) !== (entry.state === 'STARTED' || entry.state === 'PROGRESS')) dirty.add(id)
    }
    mark([...entries.keys()].slice(0, POLL_MAX))
  }
  const start = (): void => {
    listener ??= listen(handle, {
      channels: ['rowbeat_runs'],
      onNotify: (_, payload) => mark(payload === '*' ? entries.keys() : payload.split(',')),
      onReady: () => mark(entries.keys()),
      onProblem,
    })
    poll ??= setInterval(() => void sweep().catch(onProblem), POLL_MS).unref()
  }

  return Object.freeze({
    follow(run: RunDocument, follower: Follower) {
      start()
      const entry: Entry = entries.get(run.id) ?? {
        followers: new Map(),
        text: '',
        state: run.state,
        dueMs: monotonicMs() + SPACING_MS,
      }
      entry.text = ''
      entry.followers.set(follower, digestOf(JSON.stringify(run)))
      entries.set(run.id, entry)
      // It may have changed since the caller read it.
      mark([run.id])
      return () => {
        entry.followers.delete(follower)
        if (entry.followers.size > 0 || entries.get(run.id) !== entry) return
        entries.delete(run.id)
        dirty.delete(run.id)
      }
    },
    async close() {
      state.closed = true
      clearTimeout(timer)
      clearInterval(poll)
      entries.clear()
      await listener?.close()
    },
  })
}

function tell(entry: Entry, news: { json: string; state: RunState } | null, digest: string): void {
  for (const [follower, seen] of entry.followers) {
    if (news && seen === digest) continue
    entry.followers.set(follower, digest)
    entry.dueMs = monotonicMs() + SPACING_MS
    follower(news)
  }
}

/** A run may carry a megabyte of input, and thousands may be watched: what was told is remembered by its digest. */
function digestOf(text: string): string {
  return createHash('sha1').update(text).digest('base64')
}
