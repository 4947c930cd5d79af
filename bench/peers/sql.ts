/**
 * The limit: what hand-written SQL for exactly this job can do with the same Postgres and the same client.
 * A queue row and a result row at enqueue, a claim of 1000 with SKIP LOCKED, a finish of the whole batch in
 * one statement. No retries, no priorities between batches, no leases, no wake-up: everything a job queue is
 * for is left out, so nothing that has it can be as fast.
 */
import pg from 'pg'
import { add } from '../peer.ts'
import type { Input, Peer, Setup } from '../peer.ts'

const SCHEMA = `
  create table queue (
    id uuid primary key, task text not null, input jsonb not null, priority int not null default 0,
    locked_at timestamptz, locked_by text
  );
  create index on queue (priority, id) where locked_at is null;
  create table results (
    id uuid primary key, task text not null, state text not null, result jsonb, worker text, attempt int,
    created_at timestamptz not null default now(), started_at timestamptz, finished_at timestamptz
  )`

const ENQUEUE = {
  name: 'enqueue',
  text: `with run as (
      insert into queue (id, task, input) values (uuidv7(), 'add', $1::text::jsonb) returning id, task
    ) insert into results (id, task, state) select id, task, 'PENDING' from run returning id`,
}
const ENQUEUE_MANY = {
  name: 'enqueue_many',
  text: `with run as (
      insert into queue (id, task, input)
      select uuidv7(), 'add', item from jsonb_array_elements($1::text::jsonb) item returning id, task
    ) insert into results (id, task, state) select id, task, 'PENDING' from run`,
}
const CLAIM = {
  name: 'claim',
  text: `update queue set locked_at = now(), locked_by = $1 where id = any(array(
      select id from queue where locked_at is null order by priority, id limit $2 for update skip locked
    )) returning id, input, locked_at`,
}
const FINISH = {
  name: 'finish',
  text: `with gone as (delete from queue where id = any($1::uuid[]) returning id)
    update results set state = 'SUCCESS', result = outcome.result::jsonb, worker = $3, attempt = 1,
      started_at = $4, finished_at = now()
    from unnest($1::uuid[], $2::text[]) as outcome (id, result)
    where results.id = outcome.id`,
}

interface Claimed {
  id: string
  input: Input
  locked_at: Date
}

export async function open({ databaseUrl, options }: Setup): Promise<Peer> {
  const claimers = Number(options['claimers'] ?? 2)
  const batch = Number(options['batch'] ?? 1000)
  const max = Number(options['pool'] ?? 16)
  const pool = new pg.Pool({ connectionString: databaseUrl, max })
  const loops: Promise<void>[] = []
  let open = true

  return {
    hotTable: 'queue',
    async prepare() {
      await pool.query(SCHEMA)
    },
    async enqueue(input) {
      await pool.query({ ...ENQUEUE, values: [JSON.stringify(input)] })
    },
    async enqueueMany(inputs) {
      await pool.query({ ...ENQUEUE_MANY, values: [JSON.stringify(inputs)] })
    },
    async work(watch) {
      const loop = async (name: string): Promise<void> => {
        while (open) {
          const { rows } = await pool.query<Claimed>({ ...CLAIM, values: [name, batch] })
          if (rows.length === 0) {
            await new Promise((resolve) => setTimeout(resolve, 2))
            continue
          }
          const results = rows.map((row) => {
            watch.started(row.input.x)
            return JSON.stringify(add(row.input))
          })
          const ids = rows.map((row) => row.id)
          await pool.query({ ...FINISH, values: [ids, results, name, rows[0]!.locked_at] })
          for (const row of rows) watch.finished(row.input.x)
        }
      }
      for (let index = 0; index < claimers; index++) loops.push(loop(`claimer-${index}`))
    },
    async unfinished() {
      const answer = await pool.query('select count(*)::int as count from queue')
      return answer.rows[0].count
    },
    async close() {
      open = false
      await Promise.all(loops)
      await pool.end()
    },
  }
}
