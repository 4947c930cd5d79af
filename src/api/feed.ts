/**
 * The runs that somebody watches, and the news about them: one LISTEN and one poll for all streams of this
 * process.
 *
 *   NOTIFY rowbeat_runs ─► wanted ─► read in one statement, <= 5 times a second each ─► followers
 *   every second ────────► wanted   (those not looked at for longest, those that a worker lists or listed)
 *
 * NOTIFY tells of progress and ends, and may get lost; a start tells nobody, because that would cost each run
 * a statement. So every second the watched runs are read again, oldest look first, at most POLL_MAX of them;
 * when more are watched, the workers' lists say which have started or stopped. 5,000 idle streams cost what
 * 500 do. While the database is away nothing is lost: what was wanted stays so until it answers.
 */
import { createHash } from 'node:crypto'
import { monotonicMs } from '../clock.ts'
import { toQueryable, type DatabaseHandle } from '../db/handle.ts'
import { listen, type Listener } from '../db/listen.ts'
import { readRunningIds, readRuns } from '../db/statements/list-runs.ts'
import { isFinished, parseRun, type RunDocument, type RunState } from '../results/run.ts'

/** The run's JSON as REST answers it. */
export interface News {
  json: string
  state: RunState
  /** Another for every change. */
  version: string
}

/** Is told null when the run is gone: forgotten, or expired. */
export type Follower = (news: News | null) => void

/** `all`: so many that they are not named, or some may have been missed; `started`: a worker wrote anew what it runs. */
export type Hearer = (ids: readonly string[] | 'all' | 'started') => void

export interface RunFeed {
  /** Tells `follower` of each change after `run`, until it has finished. Answers how to stop. */
  follow(run: RunDocument, follower: Follower): () => void
  /** Tells which runs of all have changed, as workers tell it. Answers how to stop. */
  hear(hearer: Hearer): () => void
  close(): Promise<void>
}

const SPACING_MS = 200
const POLL_MS = 1000
const POLL_MAX = 500

interface Entry {
  /** Each with the digest of what it was told last, for one who joins may have read before a change. */
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
  const reader = createReader(entries, async (ids) => {
    try {
      const rows = new Map((await readRuns(db, ids)).map(({ id, run }) => [id, run]))
      for (const id of ids) compare(entries, id, rows.get(id) ?? null)
      return true
    } catch (error) {
      onProblem(error)
      return false
    }
  })
  const hearers = new Set<Hearer>()
  let listener: Listener | null | undefined
  let poll: NodeJS.Timeout | undefined

  const sweep = async (): Promise<void> => {
    if (entries.size > POLL_MAX) {
      const running = new Set(await readRunningIds(db))
      const moved = ([id, { state }]: [string, Entry]): boolean =>
        running.has(id) !== (state === 'STARTED' || state === 'PROGRESS')
      reader.want([...entries].filter(moved).map(([id]) => id))
    }
    reader.want([...entries.keys()].slice(0, POLL_MAX))
  }
  const hearAll = (): void => {
    reader.want(entries.keys())
    for (const hearer of hearers) hearer('all')
  }
  const start = (): void => {
    listener ??= listen(handle, {
      channels: ['rowbeat_runs', 'rowbeat_live'],
      onNotify(channel, payload) {
        if (channel === 'rowbeat_live') for (const hearer of hearers) hearer('started')
        else if (payload === '*') hearAll()
        else {
          const ids = payload.split(',')
          reader.want(ids)
          for (const hearer of hearers) hearer(ids)
        }
      },
      onReady: hearAll,
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
      reader.want([run.id])
      return () => {
        entry.followers.delete(follower)
        if (entry.followers.size === 0 && entries.get(run.id) === entry) entries.delete(run.id)
      }
    },
    hear(hearer: Hearer) {
      start()
      hearers.add(hearer)
      return () => void hearers.delete(hearer)
    },
    async close() {
      clearInterval(poll)
      hearers.clear()
      reader.close()
      entries.clear()
      await listener?.close()
    },
  })
}

interface Reader {
  /** These may have changed: read them as soon as each is due. */
  want(ids: Iterable<string>): void
  close(): void
}

/** Reads what is wanted and due, one statement at a time; after a failure all of it again, a second later. */
function createReader(
  entries: ReadonlyMap<string, Entry>,
  read: (ids: readonly string[]) => Promise<boolean>,
): Reader {
  const wanted = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let busy = false
  let closed = false
  let pausedMs = 0

  const pump = (): void => {
    clearTimeout(timer)
    if (busy || closed) return
    const now = monotonicMs()
    const batch: string[] = []
    let soonest = Infinity
    for (const id of wanted) {
      const entry = entries.get(id)
      const due = Math.max(pausedMs, entry?.dueMs ?? 0)
      if (!entry) wanted.delete(id)
      else if (due > now) soonest = Math.min(soonest, due)
      else if (batch.push(id) === POLL_MAX) break
    }
    if (batch.length > 0) void look(batch)
    else if (soonest < Infinity) timer = setTimeout(pump, Math.ceil(soonest - now))
  }
  const look = async (batch: readonly string[]): Promise<void> => {
    busy = true
    for (const id of batch) wanted.delete(id)
    if (!(await read(batch))) {
      for (const id of batch) wanted.add(id)
      pausedMs = monotonicMs() + POLL_MS
    }
    busy = false
    pump()
  }
  return {
    want(ids) {
      for (const id of ids) if (entries.has(id)) wanted.add(id)
      pump()
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

/** Tells the followers of a run what the database says of it, where that is news. */
function compare(entries: Map<string, Entry>, id: string, text: string | null): void {
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
  const told = digestOf(json)
  tell(entry, { json, state: run.state, version: versionOf(run.state, told) }, told)
}

function tell(entry: Entry, news: News | null, digest: string): void {
  for (const [follower, seen] of entry.followers) {
    if (news && seen === digest) continue
    entry.followers.set(follower, digest)
    entry.dueMs = monotonicMs() + SPACING_MS
    follower(news)
  }
}

/** The news of a run as the caller has read it. */
export function newsOf(run: RunDocument): News {
  const json = JSON.stringify(run)
  return { json, state: run.state, version: versionOf(run.state, digestOf(json)) }
}

const versionOf = (state: RunState, digest: string): string => `${state}.${digest.slice(0, 12)}`

/** A run may carry a megabyte, and thousands may be watched: what was told is remembered by its digest. */
function digestOf(text: string): string {
  return createHash('sha1').update(text).digest('base64')
}
