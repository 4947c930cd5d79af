/**
 * The channel between `rowbeat start` and its children, seen from the child. The child is told its configuration when
 * it begins, loads our own modules meanwhile, and goes on when it is told that the database is there. When the channel
 * closes, the supervisor is dead, whatever killed it, and the child has to end (ending.ts).
 */
import type { Config } from '../../config.ts'
import { InvariantError } from '../../errors.ts'
import { asRowbeatError } from '../words.ts'

/** The database is migrated and may be used; `port` is the one to listen on. */
export interface Go {
  databaseUrl: string
  port: number
}

export type ToChild =
  { kind: 'config'; config: Config } | ({ kind: 'go' } & Go) | { kind: 'stop'; graceMs: number }

export type FromChild =
  { kind: 'ready'; url: string | null } | { kind: 'failed'; code: string; message: string }

export interface Link {
  readonly config: Config
  readonly go: Promise<Go>
  /** Called at each request to stop, with the grace to stop within. */
  onStop(listener: (graceMs: number) => void): void
  ready(url: string | null): void
  /** Resolves when the words are on their way. */
  failed(error: unknown): Promise<void>
}

/** Resolves when the supervisor has told the configuration. */
export async function joinSupervisor(): Promise<Link> {
  if (!process.channel) throw new InvariantError('--supervised is for the children of `rowbeat start`.')
  const config = Promise.withResolvers<Config>()
  const go = Promise.withResolvers<Go>()
  const stops: ((graceMs: number) => void)[] = []
  process.on('message', (message: ToChild) => {
    if (message.kind === 'config') config.resolve(message.config)
    else if (message.kind === 'go') go.resolve(message)
    else for (const listener of stops) listener(message.graceMs)
  })
  const tell = (message: FromChild): Promise<void> =>
    new Promise((resolve) => {
      if (process.connected) process.send!(message, undefined, undefined, () => resolve())
      else resolve()
    })
  return {
    config: await config.promise,
    go: go.promise,
    onStop: (listener) => void stops.push(listener),
    ready: (url) => void tell({ kind: 'ready', url }),
    failed(error) {
      const { code, message } = asRowbeatError(error)
      return tell({ kind: 'failed', code, message })
    },
  }
}
