/**
 * The database of a busy team, made by SQL in minutes: millions of finished runs over thirty days, the last of which had four in ten of
 * them; a million that wait, most of them parked behind three queues, one of which is paused; 40 workers that say they run
 * something; schedules with their firings, failures with their tries, logs and an audit log. Days are filled before
 * they have an index, which is several times as fast, and then attached.
 */
import type postgres from 'postgres'

export interface Sizes {
  finished: number
  waiting: number
  schedules: number
  firings: number
  audit: number
}

export const SIZES: Sizes = {
  finished: 10_000_000,
  waiting: 1_000_000,
  schedules: 2000,
  firings: 1_000_000,
  audit: 500_000,
}

const DAYS = 30
/** Of all finished runs, those of the last 24 hours. */
const LAST_DAY = 0.4
const WORKERS = 40
const RUNNING = 12
/** Of all that wait, those that may run now. */
const HOT = 0.02

/** 24 tasks on six queues; the first are the busiest. */
const TASK = `(array['mail.send','mail.digest','orders.confirm','orders.ship','billing.charge','billing.invoice','reports.daily','reports.export','media.thumb','media.probe','import.rows','import.check',
  'users.sync','users.clean','search.index','search.drop','hooks.call','hooks.retry','cache.warm','cache.drop','chat.notify','geo.lookup','tax.rate','demo.add'])`
const QUEUE = `(array['mail','mail','orders','orders','billing','billing','reports','reports','media','media','import','import',
  'default','default','default','default','mail','mail','default','default','default','default','billing','default'])`
/** 1 to 24, low ones more often; from a hash of n. */
const PICK = `1 + (24 * (h % 1000 / 1000.0) ^ 1.7)::int % 24`

/** A UUIDv7 of this instant and number. */
const ID = (at: string, n: string): string =>
  `(lpad(to_hex((extract(epoch from ${at}) * 1000)::bigint), 12, '0') || '7' || substr(md5((${n})::text), 1, 3) || '8' || substr(md5((${n})::text), 4, 15))::uuid`

const ERROR = `jsonb_build_object('name', (array['TypeError','ConnectionError','TimeoutError','ValidationError','HttpError'])[1 + h % 5],
  'message', 'order ' || n || ' was refused by ' || (array['db','smtp','stripe','s3'])[1 + h / 5 % 4] || ' after ' || h % 900 || ' ms',
  'code', case when h % 5 = 1 then 'ECONNREFUSED' end, 'cause', null,
  'stack', 'Error: order ' || n || ' was refused' || E'\\n    at work (/app/tasks/part-' || h / 20 % 12 || '.ts:' || 10 + h / 20 % 12 || E':11)\\n    at run (/app/run.ts:3:5)\\n    at async execute (/app/node_modules/rowbeat/execute.js:40:3)')`

/** Runs from number `from` on, evenly between two instants. */
const resultsText = (table: string, from: number, count: number, begin: string, seconds: number): string => `
insert into ${table} (id, task, queue, state, reason, priority, input, result, error, attempt, attempts_max, redeliveries, worker, created_at, run_at, started_at, finished_at, tags, headers, schedule, keep_until)
select id, task, queue, state, case state when 'FAILURE' then 'error' when 'REVOKED' then 'revoked' end, 0,
  jsonb_build_object('order_id', n, 'email', 'user' || h % 100000 || '@example.net', 'note', 'nothing to see'), case state when 'SUCCESS' then jsonb_build_object('ok', true, 'n', n) end,
  case state when 'FAILURE' then ${ERROR} end,
  1 + (h % 97 = 0)::int, 3, 0, 'worker-' || h % ${WORKERS}, created, created, case when state <> 'REVOKED' then created + wait end, created + wait + took,
  case when h % 10 = 0 then array['eu', 'vip'] end, case when h % 20 = 0 then '{"trace": "on"}'::jsonb end, case when h % 50 = 0 then 'schedule ' || h % 2000 end, clock_timestamp() + interval '40 days'
from (
  select n, h, created, ${TASK}[pick] as task, ${QUEUE}[pick] as queue, case when h % 100 < 96 then 'SUCCESS' when h % 100 < 99 then 'FAILURE' else 'REVOKED' end as state,
    ${ID('created', 'n')} as id, interval '1 millisecond' * (2 + exp(h % 800 / 100.0)) as wait, interval '1 millisecond' * (3 + exp(h % 1100 / 110.0)) as took
  from (
    select n, h, ${PICK} as pick, ${begin} + interval '1 second' * ((n - ${from}) * ${seconds}::float8 / ${count}) as created
    from (select n, abs(hashint8(n)) as h from generate_series(${from}::bigint, ${from + count - 1}) n) a
  ) b
) c`

type Sql = postgres.Sql | postgres.TransactionSql

async function fillDay(sql: Sql, day: number, from: number, count: number): Promise<void> {
  const [row] =
    await sql.unsafe(`select to_char((now() at time zone 'UTC')::date - ${day}, 'YYYYMMDD') as name,
    (((now() at time zone 'UTC')::date - ${day})::timestamp at time zone 'UTC')::text as begin,
    rowbeat.uuid7_floor_v1(((now() at time zone 'UTC')::date - ${day})::timestamp at time zone 'UTC') as low,
    rowbeat.uuid7_floor_v1(((now() at time zone 'UTC')::date - ${day - 1})::timestamp at time zone 'UTC') as high,
    to_regclass('rowbeat.results_' || to_char((now() at time zone 'UTC')::date - ${day}, 'YYYYMMDD')) is not null as stands,
    extract(epoch from now() - (now() at time zone 'UTC')::date::timestamp at time zone 'UTC')::float8 as today`)
  const { name, begin, low, high, stands, today } = row!
  const table = `rowbeat.results_${name}`
  if (stands) await sql.unsafe(`drop table ${table}`)
  await sql.unsafe(`create table ${table} (like rowbeat.results including defaults including constraints)`)
  // A day but today: all of it. Today: up to a moment ago.
  const seconds = day === 0 ? today - 30 : 86_399
  await sql.unsafe(resultsText(table, from, count, `'${begin}'::timestamptz`, seconds))
  await sql.unsafe(
    `alter table rowbeat.results attach partition ${table} for values from ('${low}') to ('${high}')`,
  )
}

/** The share of each day, today first: the last 24 hours have LAST_DAY of all, whatever o'clock it is. */
async function sharesOf(sql: Sql): Promise<number[]> {
  const [row] = await sql.unsafe(
    `select extract(epoch from now() - (now() at time zone 'UTC')::date::timestamp at time zone 'UTC')::float8 / 86400 as part`,
  )
  const part = row!['part'] as number
  const rest = (1 - LAST_DAY) / (DAYS - 2 + part)
  return Array.from({ length: DAYS }, (_, day) =>
    day === 0 ? LAST_DAY * part : day === 1 ? LAST_DAY * (1 - part) + rest * part : rest,
  )
}

const PAYLOAD = `json_build_object('input', json_build_object('order_id', n, 'email', 'user' || h % 100000 || '@example.net'), 'attempts_max', 3, 'tags', case when h % 10 = 0 then array['eu'] else array[]::text[] end)`

/** Parked: most overflow, some on a paused queue, some for later, some after a failure. Hot: as many as a queue may have. */
const waitingText = (waiting: number): string[] => [
  `insert into rowbeat.tasks (name, queue) select t, q from unnest(${TASK}, ${QUEUE}) x(t, q) on conflict do nothing`,
  `insert into rowbeat.queues (name) select distinct unnest(${QUEUE}) on conflict do nothing`,
  `update rowbeat.queues set paused_at = now() - interval '1 hour', pause_reason = 'the printer is on fire' where name = 'reports'`,
  `insert into rowbeat.parked (id, reason, release_at, task, queue, priority, payload, created_at)
select ${ID('created', 'n')}, reason, case when reason in ('eta', 'retry') then now() + interval '1 day' + n * interval '1 second' end, ${TASK}[pick],
  case reason when 'paused' then 'reports' when 'overflow' then (array['mail', 'orders', 'import'])[1 + h % 3] else ${QUEUE}[pick] end, (h % 3 - 1)::smallint, ${PAYLOAD}, created
from (
  select n, h, ${PICK} as pick, now() - interval '1 second' * (20000 - n * 20000.0 / ${waiting}) as created,
    case when h % 100 < 70 then 'overflow' when h % 100 < 82 then 'paused' when h % 100 < 95 then 'eta' else 'retry' end as reason
  from (select n, abs(hashint8(n + 77)) as h from generate_series(1::bigint, ${Math.round(waiting * (1 - HOT))}) n) a
) b`,
  `insert into rowbeat_queue._private_tasks (identifier) select q || ':' || t from unnest(${TASK}, ${QUEUE}) x(t, q) on conflict do nothing`,
  `insert into rowbeat_queue._private_jobs (task_id, payload, priority, run_at, created_at, key)
select (select t.id from rowbeat_queue._private_tasks t where t.identifier = ${QUEUE}[pick] || ':' || ${TASK}[pick]), ${PAYLOAD}, (h % 3 - 1)::smallint, created, created, ${ID('created', 'n + 50000000')}::text
from (
  select n, h, ${PICK} as pick, now() - interval '1 second' * (20400 - n * 0.02) as created from (select n, abs(hashint8(n + 99)) as h from generate_series(1::bigint, ${Math.round(waiting * HOT)}) n) a
) b where ${QUEUE}[pick] <> 'reports'`,
  // Alive for as long as somebody measures.
  `insert into rowbeat.workers (id, name, kind, hostname, pid, pools, queues, tasks, version, running, rss_bytes, loop_lag_ms, clock_skew_ms, seen_at)
select 'w' || w, 'worker-' || w, 'worker', 'host-' || w, w, array['pool-' || w], '{"default": 10, "mail": 10, "orders": 10, "billing": 4, "media": 4, "import": 4}', ${TASK}, '0.1.0', '[]', 90000000, 1, 0, now() + interval '1 day'
from generate_series(0, ${WORKERS - 1}) w`,
  `insert into rowbeat.workers (id, name, kind, hostname, pid, version, rss_bytes, seen_at) values ('b0', 'beat-0', 'beat', 'host-0', 100, '0.1.0', 90000000, now() + interval '1 day')`,
  `with taken as (
  select id, key, row_number() over (order by id) as r from (select id, key from rowbeat_queue._private_jobs order by id limit ${WORKERS * RUNNING}) x
), claimed as (
  update rowbeat_queue._private_jobs j set locked_at = now(), locked_by = 'pool-' || s.r % ${WORKERS}, attempts = 1 from taken s where s.id = j.id
)
update rowbeat.workers w set running = l.running from (
  select 'w' || r % ${WORKERS} as id, jsonb_agg(jsonb_build_object('id', key, 'started_at', now() - interval '5 seconds', 'attempt', 1)) as running from taken group by 1
) l where l.id = w.id`,
  `insert into rowbeat.progress (run_id, current, total, at) select (l->>'id')::uuid, 3, 10, now() from rowbeat.workers w cross join lateral jsonb_array_elements(w.running) l where right(l->>'id', 1) < '4'`,
]

const restText = ({ schedules, firings, audit }: Sizes): string[] => [
  `insert into rowbeat.attempts (run_id, attempt, outcome, worker, started_at, finished_at, error, retry_at)
select id, a, case when a < 3 then 'retry' else 'failed' end, worker, started_at, finished_at, error, null from rowbeat.results cross join generate_series(1, 3) a where state = 'FAILURE'`,
  `insert into rowbeat.logs (run_id, at, attempt, level, message) select id, finished_at, 1, (array['info', 'warn', 'error'])[a], 'line ' || a || ' of what it said' from rowbeat.results cross join generate_series(1, 3) a where state = 'FAILURE'`,
  `insert into rowbeat.schedules (id, name, task, schedule, queue, tags, next_run_at, last_run_at, anchor_at)
select rowbeat.uuid7(), 'schedule ' || n, ${TASK}[1 + n % 24], '{"kind": "interval", "every": 30, "period": "minutes"}', ${QUEUE}[1 + n % 24], array['team-' || n % 9], now() + interval '1 day' + n * interval '1 second', now(), now() from generate_series(1, ${schedules}) n`,
  `update rowbeat.schedules set next_run_at = now() + interval '1 day' + interval '1 second' * (hashtext(name) % 1000), last_run_at = now() - interval '1 second' * (abs(hashtext(name)) % 1800), firings_total = ${firings} / ${schedules}`,
  `insert into rowbeat.firings (schedule_id, due_at, state, run_id, fired_at, version)
select s.id, now() - n * interval '30 minutes' - interval '1 second' * (abs(hashtext(s.name)) % 1800), case when (n + hashtext(s.name)) % 40 = 0 then 'skipped' else 'fired' end, rowbeat.uuid7(), now() - n * interval '30 minutes', 1
from generate_series(${Math.ceil(firings / schedules)}, 1, -1) n cross join rowbeat.schedules s where s.name like 'schedule %'`,
  `insert into rowbeat.audit_log (id, at, actor, actor_kind, actor_id, via, action, target_kind, target, before, after, reason, request_id, address)
select ${ID('at', 'n')}, at, 'person' || n % 40 || '@example.net', 'user', null, 'panel', (array['schedule.edit', 'queue.pause', 'run.revoke', 'key.create'])[1 + n % 4], (array['schedule', 'queue', 'run', 'key'])[1 + n % 4],
  'thing ' || n % 3000, '{"enabled": true}', '{"enabled": false}', 'because', 'req-' || n, '10.0.0.1'
from (select n, now() - interval '1 second' * ((${audit} - n) * 60) as at from generate_series(1, ${audit}) n) a`,
]

/** Fills a migrated, empty database; `say` is told how far it is. Its user must own the tables. */
export async function fillPanel(
  sql: Sql,
  sizes: Sizes = SIZES,
  say: (line: string) => void = () => {},
): Promise<void> {
  const began = performance.now()
  const told = (what: string): void =>
    say(`${what} after ${Math.round((performance.now() - began) / 1000)} s`)
  await sql.unsafe(`set synchronous_commit = off; set maintenance_work_mem = '256MB'`)
  let from = 1
  for (const [day, share] of [...(await sharesOf(sql)).entries()].reverse()) {
    const count = Math.round(share * sizes.finished)
    if (count > 0) await fillDay(sql, day, from, count)
    from += count
    if (day % 10 === 0) told(`${from - 1} finished`)
  }
  for (const text of waitingText(sizes.waiting)) await sql.unsafe(text)
  told(`${sizes.waiting} wait`)
  for (const text of restText(sizes)) await sql.unsafe(text)
  told('schedules, firings, audit')
  await sql.unsafe('analyze')
  told('analyzed')
}
