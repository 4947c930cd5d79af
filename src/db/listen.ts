/**
 * LISTEN, as a hint only: whoever listens polls too, so a lost notification costs a poll interval and nothing else.
 * A half-open connection swallows notifications without a word, so on node-postgres the listener pings itself every
 * 5 s and starts anew when a ping stays away for 5 s. After every (re)connect `onReady` says "look now".
 */
import type pg from 'pg'
import { sleep } from '../clock.ts'
import { StoreError } from '../errors.ts'
import { driverOf, toQueryable, type DatabaseHandle } from './handle.ts'
import { listenTo, notify } from './statements/notify.ts'

export interface Listener {
  close(): Promise<void>
  /** Whether notifications come through: null before the first ping was answered, and where nothing pings. */
  isHeard?(): boolean | null
}

export interface ListenOptions {
  channels: readonly string[]
  onNotify(channel: string, payload: string): void
  /** After the first connect and each reconnect: notifications may have been missed. */
  onReady?(): void
  /** A problem worth a log line; the listener goes on by itself. */
  onProblem?(error: unknown): void
  pingMs?: number
}

interface PostgresJsListener {
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen?: () => void,
  ): PromiseLike<{ unlisten(): Promise<void> }>
}

const PING = 'rowbeat_ping'

/** Listens until closed; never throws. null when the handle's driver cannot (a transaction, a single client): poll instead. */
export function listen(handle: DatabaseHandle, options: ListenOptions): Listener | null {
  const driver = driverOf(handle)
  if (typeof (driver as unknown as PostgresJsListener).listen === 'function')
    return listenPostgresJs(driver as unknown as PostgresJsListener, options)
  if (typeof (driver as unknown as pg.Pool).connect === 'function' && 'totalCount' in driver)
    return listenNodePostgres(driver as unknown as pg.Pool, options)
  return null
}

/** postgres.js reconnects and listens again by itself; it cannot be pinged, so its callers poll at least each second. */
function listenPostgresJs(sql: PostgresJsListener, options: ListenOptions): Listener {
  const closing = new AbortController()
  const subscribed: { unlisten(): Promise<void> }[] = []
  const start = async (): Promise<void> => {
    for (const channel of options.channels) {
      subscribed.push(
        await sql.listen(
          channel,
          (payload) => void (closing.signal.aborted || options.onNotify(channel, payload)),
          () => options.onReady?.(),
        ),
      )
    }
  }
  const done = (async () => {
    while (!closing.signal.aborted) {
      try {
        await start()
        return
      } catch (error) {
        options.onProblem?.(error)
        await sleep(1000, closing.signal)
      }
    }
  })()
  return {
    async close() {
      closing.abort()
      await atMost(1000, done)
      await atMost(1000, Promise.allSettled(subscribed.map((s) => s.unlisten())))
    },
  }
}

/** One client of the pool, held for as long as it answers its own pings. */
function listenNodePostgres(pool: pg.Pool, options: ListenOptions): Listener {
  const closing = new AbortController()
  let heard: boolean | null = null
  const done = (async () => {
    while (!closing.signal.aborted) {
      try {
        await holdClient(pool, options, closing.signal, () => (heard = true))
      } catch (error) {
        heard = false
        if (!closing.signal.aborted) options.onProblem?.(error)
      }
      await sleep(500, closing.signal)
    }
  })()
  return {
    isHeard: () => heard,
    async close() {
      closing.abort()
      await atMost(1000, done)
    },
  }
}

async function holdClient(
  pool: pg.Pool,
  options: ListenOptions,
  closing: AbortSignal,
  onHeard: () => void,
): Promise<void> {
  const client = await pool.connect()
  const broken = new AbortController()
  const stop = AbortSignal.any([closing, broken.signal])
  let lost: unknown = null
  let answered = true
  const fail = (error: unknown): void => {
    lost = error
    broken.abort()
  }
  client.on('error', fail)
  client.on('end', () => fail(new StoreError('RB_DB_UNREACHABLE', 'the listening connection ended')))
  client.on('notification', (message) => {
    if (message.channel === PING) {
      answered = true
      onHeard()
    } else if (!closing.aborted) options.onNotify(message.channel, message.payload ?? '')
  })
  try {
    await listenTo(toQueryable(client), [...options.channels, PING])
    options.onReady?.()
    while (!stop.aborted) {
      answered = false
      notify(toQueryable(client), PING, '').catch(fail)
      await sleep(options.pingMs ?? 5_000, stop)
      if (!answered && !stop.aborted)
        fail(new StoreError('RB_DB_UNREACHABLE', 'the listening connection did not answer a ping within 5 s'))
    }
  } finally {
    // Never back into the pool: it still listens, and its next user would be told what we asked for.
    client.release(true)
  }
  if (lost && !closing.aborted) throw lost
}

/** Waits for `work`, `ms` milliseconds at most, and leaves no timer behind that would keep the process. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController()
  await Promise.race([work, sleep(ms, over.signal)])
  over.abort()
}
