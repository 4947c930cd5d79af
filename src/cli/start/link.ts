/**
 * The channel between a supervisor (`rowbeat start`, `rowbeat worker --processes 4`) and its children, seen from the
 * child. The child is told its configuration when it begins, loads our own modules meanwhile, and goes on when it is told
 * that the database is there. A worker that has done its share says that it is spent; once another is ready in its place
 * it is told that it is relieved. When the channel closes, the supervisor is dead, whatever killed it, and the child has to
 * end (ending.ts).
 */
import type { Config } from '../../config.ts'
import { InvariantError } from '../../errors.ts'
import { asRowbeatError } from '../words.ts'

/** The database is migrated and may be used; `port` is the one to listen on. */
export interface Go {
  databaseUrl: string
  port: number
}

/** What a child is before it does anything. */
export interface Seat {
  config: Config
  /** Of those that do the same, counted from 1. */
  index: number
  /** Logs go to rowbeat.log of the data directory; otherwise to stderr. */
  hasJournal: boolean
}

/** What a child says of itself once it serves. */
export interface Ready {
  url: string | null
  /** What `--json` would print of it. */
  document: object
}

export type ToChild =
  ({ kind: 'seat' } & Seat) | ({ kind: 'go' } & Go) | { kind: 'relieved' } | { kind: 'stop'; graceMs: number }

export type FromChild =
  | ({ kind: 'ready' } & Ready)
  | { kind: 'failed'; code: string; message: string }
  | { kind: 'spent'; why: string }
  | { kind: 'leaving' }

export interface Link {
  readonly seat: Seat
  readonly go: Promise<Go>
  /** Resolves when another has taken its place: let what runs end, and leave. */
  readonly relieved: Promise<void>
  /** Called at each request to stop, also of one that came before, with the grace to stop within. */
  onStop(listener: (graceMs: number) => void): void
  ready(ready: Ready): void
  spent(why: string): void
  /** Somebody told it to stop: nobody is to take its place. */
  leaving(): void
  /** Resolves when the words are on their way. */
  failed(error: unknown): Promise<void>
}

/** Resolves when the supervisor has told the configuration. */
export async function joinSupervisor(): Promise<Link> {
  if (!process.channel) throw new InvariantError('--supervised is for the children of a supervisor.')
  const seat = Promise.withResolvers<Seat>()
  const go = Promise.withResolvers<Go>()
  const relieved = Promise.withResolvers<void>()
  const stops: number[] = []
  const listeners: ((graceMs: number) => void)[] = []
  process.on('message', (message: ToChild) => {
    if (message.kind === 'seat') seat.resolve(message)
    else if (message.kind === 'go') go.resolve(message)
    else if (message.kind === 'relieved') relieved.resolve()
    else {
      stops.push(message.graceMs)
      for (const listener of listeners) listener(message.graceMs)
    }
  })
  const tell = (message: FromChild): Promise<void> =>
    new Promise((resolve) => {
      if (process.connected) process.send!(message, undefined, undefined, () => resolve())
      else resolve()
    })
  return {
    seat: await seat.promise,
    go: go.promise,
    relieved: relieved.promise,
    onStop(listener) {
      listeners.push(listener)
      for (const graceMs of stops) listener(graceMs)
    },
    ready: (ready) => void tell({ kind: 'ready', ...ready }),
    spent: (why) => void tell({ kind: 'spent', why }),
    leaving: () => void tell({ kind: 'leaving' }),
    failed(error) {
      const { code, message } = asRowbeatError(error)
      return tell({ kind: 'failed', code, message })
    },
  }
}
