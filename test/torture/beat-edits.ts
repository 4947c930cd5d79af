/**
 * Two sessions edit one schedule 50 times a second each, as REST does it (`where id = … and version = …`), while two beats
 * fire it; then one of them deletes it. An edit that was answered is in the next version, and none is answered that is not:
 * each counts up in the input, so a lost one would be a number that is missing. A firing names the version it was made
 * of; that version must have stood at its time, and the run's input must be that version's. Nothing fires after the delete.
 *
 * One edit in ten touches the timing without moving an instant (its end, years ahead), and no instant may be lost by that.
 */
import type postgres from 'postgres'
import { makeTicking, reckon, startBeatProcess } from '../helpers/beat.ts'
import { pauseFor } from './crew.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'

const PER_SECOND = 50
const NAME = 'edited'
const EVERY_MS = 200

interface Edit {
  version: number
  n: number
}

export async function editUnderWay(torture: Torture): Promise<Tally> {
  const { world, count: seconds, log } = torture
  const { sql } = world
  const owner = { teardown: torture.teardown }
  await Promise.all([startBeatProcess(owner, world.url), startBeatProcess(owner, world.url)])
  await sql`create table history (version int primary key, at timestamptz not null, input jsonb not null)`
  await makeTicking(sql, [{ name: NAME, everyMs: EVERY_MS }])
  const [made] = await sql<{ version: number }[]>`
    with made as (update rowbeat.schedules set input = '{"n": 0}' where name = ${NAME} returning version, updated_at, input)
    insert into history select * from made returning version`
  const untilAt = performance.now() + seconds * 1000
  const sessions = await Promise.all([editFor(torture, 'one', untilAt), editFor(torture, 'two', untilAt)])
  const edits = sessions.flatMap(({ done }) => done).toSorted((a, b) => a.version - b.version)
  const refused = sessions.reduce((sum, session) => sum + session.refused, 0)
  const account = await reckon(sql, await databaseNow(sql))
  const late = account.instants.flatMap(({ latenessMs }) => latenessMs ?? []).sort((a, b) => a - b)
  const wrong = await findWrong(sql)
  const afterDelete = await deleteAndWatch(torture)
  // Each edit saw the one before it: versions and numbers go up by one, together.
  const lost = edits.filter(({ version, n }, i) => version !== made!.version + i + 1 || n !== i + 1).length
  log(
    `${edits.length} edits, ${refused} refused for a newer version; ${account.expected} instants, ${account.missed.length} missed, at most ${Math.round(late.at(-1) ?? 0)} ms late; ` +
      `${wrong.length} firings of a wrong version or input, ${afterDelete} after the delete`,
  )
  for (const words of [...wrong, ...account.unexplained].slice(0, 5)) log(words)
  return {
    ...emptyTally(),
    faults: edits.length,
    attempts: account.expected,
    acked: account.expected,
    ok: account.expected - account.missed.length,
    lost: lost + account.missed.length,
    duplicated: account.doubled,
    unexpected: wrong.length + afterDelete + account.unexplained.length + account.early.length,
  }
}

/** Edits at its pace; an edit for which there was a newer version is read and tried again, as a client does after a 412. */
async function editFor({ world: { sql }, random }: Torture, by: string, untilAt: number) {
  const done: Edit[] = []
  let refused = 0
  let next = performance.now()
  while (performance.now() < untilAt) {
    const [row] = await sql<
      { id: string; version: number; n: number }[]
    >`select id, version, (input->>'n')::int as n from rowbeat.schedules where name = ${NAME}`
    const { id, version } = row!
    const n = row!.n + 1
    const input = JSON.stringify({ n, by })
    const isTimed = random() < 0.1
    const edited = await sql<{ version: number }[]>`
      with edited as (
        update rowbeat.schedules set input = ${input}::text::jsonb, end_at = case when ${isTimed} then now() + interval '9 years' else end_at end
        where id = ${id} and version = ${version} returning version, updated_at, input
      )
      insert into history select * from edited returning version`
    if (edited.length === 0) {
      refused++
      continue
    }
    done.push({ version: edited[0]!.version, n })
    next += 1000 / PER_SECOND
    await pauseFor(Math.max(0, next - performance.now()))
  }
  return { done, refused }
}

/** Firings whose version did not stand when they were made, or whose run has another input than that version. */
async function findWrong(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql<{ version: number; due: Date; input: unknown }[]>`
    with versions as (select version, input, at, lead(at, 1, 'infinity') over (order by version) as until_at from history)
    select f.version, f.due_at as due, r.input
    from rowbeat.firings f left join versions v on v.version = f.version left join rowbeat.runs r on r.id = f.run_id
    where f.schedule_id = (select id from rowbeat.schedules where name = ${NAME}) and f.version > (select min(version) from history)
      and (v.version is null or f.fired_at not between v.at and v.until_at or r.input is distinct from v.input)`
  return rows.map(
    ({ version, due, input }) => `${due.toISOString()}: version ${version}, ${JSON.stringify(input)}`,
  )
}

/** Firings and runs that came after the delete was done; five intervals are watched. */
async function deleteAndWatch({ world: { sql } }: Torture): Promise<number> {
  const [gone] = await sql<{ id: string }[]>`delete from rowbeat.schedules where name = ${NAME} returning id`
  const look = async (): Promise<{ firings: number; runs: number }> => {
    const [row] = await sql<{ firings: number; runs: number }[]>`
      select (select count(*) from rowbeat.firings where schedule_id = ${gone!.id})::int as firings,
        (select count(*) from rowbeat.runs where schedule = ${NAME})::int as runs`
    return row!
  }
  const before = await look()
  await pauseFor(5 * EVERY_MS)
  const after = await look()
  return after.firings - before.firings + (after.runs - before.runs) + Math.abs(after.runs - after.firings)
}

async function databaseNow(sql: postgres.Sql): Promise<number> {
  // What is due within the last second may still be on its way.
  await pauseFor(1000)
  const [row] = await sql<{ ms: number }[]>`select (extract(epoch from now()) * 1000 - 1000)::float8 as ms`
  return row!.ms
}

export const beatEdits: Scenario = {
  says: 'two sessions edit a schedule at 50 Hz each while it fires, then delete it: no lost update, no firing after (seconds)',
  count: 60,
  run: editUnderWay,
}
