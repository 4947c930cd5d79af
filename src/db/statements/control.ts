/**
 * Control of workers: what they were told (settings that hold, commands that expire), what they answered, and what rows
 * know of them. `rowbeat.control` and `rowbeat.inspect` (drizzle/0007) check and write; workers read with `readOrders`.
 */
import type { Queryable } from '../handle.ts'

/** A setting of one name, or of all. What is absent or null was not said. */
export interface WorkerSetting {
  queues?: Record<string, { serve?: boolean; concurrency?: number }> | null
  concurrency?: number | null
  autoscale?: { max: number; min: number } | false | null
  quiet?: boolean | null
}

export interface TaskSetting {
  task: string
  rate: string | null
  rate_burst: number | null
  time_limit: number | null
  soft_time_limit: number | null
}

export interface Command {
  id: string
  command: string
  args: Record<string, unknown>
}

/** All that a worker of a name has to look at. */
export interface Orders {
  /** By `*` and the name. */
  settings: Record<string, WorkerSetting>
  tasks: TaskSetting[]
  /** Not expired, oldest first; those already answered too. */
  commands: Command[]
  /** Queues that are paused. */
  paused: string[]
  /** As a heartbeat answers it while nothing has changed; null: there is nothing. */
  digest: string | null
}

export async function readOrders(db: Queryable, worker: string): Promise<Orders> {
  const [row] = await db.query<{ orders: Orders }>(
    `/* read_orders */ select jsonb_build_object(
  'settings', (select coalesce(jsonb_object_agg(s.worker, to_jsonb(s) - 'worker' - 'updated_at'), '{}') from rowbeat.worker_settings s where s.worker in ($1::text, '*')),
  'tasks', (select coalesce(jsonb_agg(to_jsonb(t) - 'updated_at'), '[]') from rowbeat.task_settings t),
  'commands', (select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'command', c.command, 'args', c.args) order by c.created_at, c.id), '[]')
    from rowbeat.commands c where c.expires_at > clock_timestamp() and (c.workers is null or $1::text = any (c.workers))),
  'paused', (select coalesce(jsonb_agg(q.name), '[]') from rowbeat.queues q where q.paused_at is not null),
  'digest', rowbeat.control_digest_v1($1::text)) as orders`,
    [worker],
  )
  return row!.orders
}

export async function writeReply(
  db: Queryable,
  command: string,
  worker: string,
  ok: boolean,
  reply: unknown,
): Promise<void> {
  await db.query(
    `/* write_reply */ insert into rowbeat.replies (command_id, worker, ok, reply)
     select c.id, $2::text, $3::boolean, $4::text::jsonb from rowbeat.commands c where c.id = $1::uuid on conflict do nothing`,
    [command, worker, ok, JSON.stringify(reply)],
  )
}

/** The answer to dump_stacks, beside what its row says is running. */
export async function writeDump(db: Queryable, command: string, id: string, dump: object): Promise<void> {
  await db.query(
    `/* write_dump */ insert into rowbeat.replies (command_id, worker, ok, reply)
     select c.id, w.name, true, $3::text::jsonb || jsonb_build_object('active', (select i.reply from rowbeat.inspect_v1('active', array[w.name]) i limit 1))
     from rowbeat.commands c join rowbeat.workers w on w.id = $2::text where c.id = $1::uuid on conflict do nothing`,
    [command, id, JSON.stringify(dump)],
  )
}

/** Forgets commands that expired over an hour ago, and their replies. */
export async function deleteCommands(db: Queryable): Promise<void> {
  await db.query(
    `/* delete_commands */ delete from rowbeat.commands where expires_at < clock_timestamp() - interval '1 hour'`,
  )
}

/** Gives a command, or writes a setting; its id. Errors of PostgreSQL: 22023 with the field in front, P0002. */
export async function giveCommand(
  db: Queryable,
  command: string,
  args: Record<string, unknown>,
  workers: readonly string[] | null,
): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `/* give_command */ select rowbeat.control($1::text, $2::text::jsonb,
       case when $3::text is not null then array(select jsonb_array_elements_text($3::text::jsonb)) end)::text as id`,
    [command, JSON.stringify(args), workers && JSON.stringify(workers)],
  )
  return row!.id
}

export interface Reply {
  worker: string
  ok: boolean
  reply: unknown
  at: string
}

export interface CommandRecord {
  id: string
  command: string
  args: Record<string, unknown>
  workers: string[] | null
  created_at: string
  expires_at: string
  replies: Reply[]
  /** Live workers that it is for and that have not answered. */
  awaited: string[]
}

/** A command with what was answered so far; null when it is unknown or an hour old. */
export async function readCommand(db: Queryable, id: string): Promise<CommandRecord | null> {
  const [row] = await db.query<{ record: CommandRecord }>(
    `/* read_command */ select jsonb_build_object('id', c.id, 'command', c.command, 'args', c.args, 'workers', c.workers,
  'created_at', rowbeat.told_v1(c.created_at), 'expires_at', rowbeat.told_v1(c.expires_at),
  'replies', (select coalesce(jsonb_agg(jsonb_build_object('worker', r.worker, 'ok', r.ok, 'reply', r.reply, 'at', rowbeat.told_v1(r.at)) order by r.worker), '[]')
    from rowbeat.replies r where r.command_id = c.id),
  'awaited', (select coalesce(jsonb_agg(distinct w.name order by w.name), '[]') from rowbeat.workers w where w.kind = 'worker' and (c.workers is null or w.name = any (c.workers))
    and w.started_at <= c.created_at and not exists (select from rowbeat.replies r where r.command_id = c.id and r.worker = w.name))) as record
from rowbeat.commands c where c.id = $1::uuid`,
    [id],
  )
  return row?.record ?? null
}

export interface Inspected {
  /** null where the answer is of the store and no worker's. */
  worker: string | null
  reply: unknown
}

export async function inspectRows(
  db: Queryable,
  what: string,
  workers: readonly string[] | null,
): Promise<Inspected[]> {
  return await db.query<{ worker: string | null; reply: unknown }>(
    `/* inspect_rows */ select worker, reply from rowbeat.inspect($1::text,
       case when $2::text is not null then array(select jsonb_array_elements_text($2::text::jsonb)) end)`,
    [what, workers && JSON.stringify(workers)],
  )
}

/** A live worker, as REST answers it. */
export interface WorkerDocument {
  id: string
  name: string
  kind: string
  hostname: string
  pid: number
  queues: Record<string, number>
  autoscale: Record<string, { max: number; min: number }>
  tasks: string[]
  version: string
  running: { id: string; started_at: string; attempt: number }[]
  processed: Record<string, number>
  limits: Record<string, number>
  rss_bytes: number | null
  loop_lag_ms: number | null
  clock_skew_ms: number | null
  started_at: string
  seen_at: string
  stopping: boolean
  quiet: boolean
  /** Whether notifications reach it; false: it finds work by looking, up to a second late. */
  listening: boolean | null
}

/** Live workers by name, those of `name` if it is given. */
export async function listWorkers(db: Queryable, name: string | null): Promise<WorkerDocument[]> {
  const rows = await db.query<{ worker: WorkerDocument }>(
    `/* list_workers */ select to_jsonb(w) - 'pools' || jsonb_build_object('started_at', rowbeat.told_v1(w.started_at), 'seen_at', rowbeat.told_v1(w.seen_at)) as worker
     from rowbeat.workers w where w.kind = 'worker' and ($1::text is null or w.name = $1::text) order by w.name, w.started_at desc, w.id`,
    [name],
  )
  return rows.map(({ worker }) => worker)
}
