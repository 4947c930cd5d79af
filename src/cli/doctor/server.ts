/**
 * The PostgreSQL server: may it be written to, which of its settings hurt, how far its clock is from ours, how many
 * connections are left, who keeps deleted rows alive.
 */
import type { Holder, ServerFacts, TableHealth } from '../../db/statements/diagnosis.ts'
import { fail, ok, sizeOf, someOf, spanOf, warn, type Finding } from './finding.ts'

/** Seconds beyond which an open transaction is worth a word, and beyond which it hurts. */
const LONG_S = 300
const TOO_LONG_S = 3600
/** Where the role may not see since when: transactions that began since. */
const OLD_AGE = 1_000_000
const SKEW_MS = 1000
const DEAD_MIN = 10_000
const DEAD_MANY = 500_000

export function examineServer(facts: ServerFacts, skewMs: number, tripMs: number): Finding[] {
  const { version, database, user, sizeBytes, isStandby, settings } = facts
  const words = `PostgreSQL ${version}, database ${database} (${sizeOf(sizeBytes)}) as ${user}, ${tripMs.toFixed(1)} ms away`
  const readOnly = isStandby || settings.transaction_read_only === 'on'
  return [
    readOnly
      ? fail('server', `${words}: it cannot be written to`, 'Point DATABASE_URL at the primary server.')
      : ok('server', words),
    facts.encoding === 'UTF8'
      ? ok('encoding', 'UTF8')
      : fail(
          'encoding',
          `the database's encoding is ${facts.encoding}`,
          'Make one with encoding UTF8, and move there.',
        ),
    examineClock(skewMs),
    ...examineSettings(settings),
    examineConnections(facts),
  ]
}

export function examineClock(skewMs: number): Finding {
  const words = `this machine is ${Math.abs(Math.round(skewMs))} ms ${skewMs < 0 ? 'behind' : 'ahead of'} the database`
  return Math.abs(skewMs) < SKEW_MS
    ? ok('clock', words)
    : warn(
        'clock',
        words,
        'Synchronise clocks (NTP): what is due goes by the database, but times that workers note are off.',
      )
}

export function examineSettings(settings: Readonly<Record<string, string>>): Finding[] {
  const set = (name: string, value = 'on'): string =>
    `As a superuser: alter system set ${name} = ${value}; select pg_reload_conf();`
  const found: Finding[] = []
  const isOff = (name: string): boolean => settings[name] === 'off'
  if (isOff('fsync'))
    found.push(
      fail('settings', 'fsync is off: a crash of the machine may leave the database broken', set('fsync')),
    )
  if (isOff('full_page_writes'))
    found.push(
      fail(
        'settings',
        'full_page_writes is off: a crash of the machine may leave pages half written',
        set('full_page_writes'),
      ),
    )
  if (isOff('autovacuum'))
    found.push(
      fail('settings', 'autovacuum is off: the hot tables grow, and claims get slower', set('autovacuum')),
    )
  if (isOff('track_counts'))
    found.push(
      fail(
        'settings',
        'track_counts is off: autovacuum does not see what there is to do',
        set('track_counts'),
      ),
    )
  if (isOff('synchronous_commit'))
    found.push(
      warn(
        'settings',
        'synchronous_commit is off: a crash of the server loses what was enqueued in the last half second',
        set('synchronous_commit'),
      ),
    )
  return found.length > 0
    ? found
    : [ok('settings', 'fsync, full_page_writes, autovacuum and synchronous_commit are on')]
}

export function examineConnections({ connections, own, settings }: ServerFacts): Finding {
  const most = Number(settings.max_connections) - Number(settings.superuser_reserved_connections)
  const words = `${connections} of ${most} connections are in use, ${own} by Rowbeat`
  const cure = 'Raise max_connections, put PgBouncer in front, or run fewer processes.'
  if (connections >= most * 0.95) return fail('connections', words, cure)
  return connections >= most * 0.8 ? warn('connections', words, cure) : ok('connections', words)
}

export function examineTables(tables: readonly TableHealth[]): Finding[] {
  const found = tables
    .filter(({ live, dead }) => dead > DEAD_MIN && dead > live)
    .map(({ name, live, dead, sizeBytes, vacuumedAt }) => {
      const words = `${name} has ${dead} dead rows beside ${live} live ones (${sizeOf(sizeBytes)}), vacuumed ${vacuumedAt ?? 'never'}`
      const cure = `vacuum ${name}; if that clears nothing, end who holds old transactions open (below).`
      return dead > DEAD_MANY ? fail('tables', words, cure) : warn('tables', words, cure)
    })
  const size = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return found.length > 0
    ? found
    : [ok('tables', `${tables.length} hot tables of ${sizeOf(size)} are clear of dead rows`)]
}

export function examineHolders(holders: readonly Holder[]): Finding[] {
  const long = holders.filter(({ seconds, age }) => (seconds === null ? age > OLD_AGE : seconds > LONG_S))
  if (long.length === 0) return [ok('transactions', 'none is open for long')]
  const worst = long.some(({ seconds, age }) => (seconds ?? 0) > TOO_LONG_S || age > OLD_AGE)
  const who = long.map(({ kind, name, seconds, age, state, application }) => {
    const beside = [application, state, seconds === null ? `${age} transactions old` : spanOf(seconds)]
    return `${kind} ${name} (${beside.filter(Boolean).join(', ')})`
  })
  const words = `deleted rows cannot be cleared away because of ${someOf(who)}`
  const cure =
    'End it: select pg_terminate_backend(pid), rollback prepared, or pg_drop_replication_slot; set idle_in_transaction_session_timeout.'
  return [worst ? fail('transactions', words, cure) : warn('transactions', words, cure)]
}
