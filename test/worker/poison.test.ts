/**
 * Runs that kill the process they run in: each is tried until its third crash that was seen, from the second on alone,
 * and ends as worker_lost; those that merely were beside it, or claimed with it, all go well.
 */
import t from 'tap'
import type postgres from 'postgres'
import { sweepDead } from '../../src/db/statements/recovery.ts'
import { createRowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { scripted, type Script } from '../helpers/tasks.ts'
import { until } from '../helpers/wait.ts'
import { startWorkerProcess } from '../helpers/worker.ts'

t.setTimeout(60_000)
t.jobs = 2

/** Starts worker after worker until all runs have ended; the dead are swept at once instead of after ten seconds. */
async function outlive(
  t: Parameters<typeof setup>[0],
  url: string,
  total: number,
  sql: postgres.Sql,
  sweep: () => Promise<unknown>,
): Promise<number> {
  const ended = async (): Promise<number> => (await sql`select count(*)::int as n from rowbeat.results`)[0]!.n
  for (let crashes = 0; ; crashes++) {
    const child = await startWorkerProcess(t, url, { queues: { default: 10 } }).catch(() => null)
    const over = child?.ended(30_000).then(() => true as const)
    const done = await until(
      'it died or all ended',
      async () => {
        if ((await ended()) === total) return 'done'
        return (await Promise.race([over ?? true, false])) && 'died'
      },
      { timeout: 30_000 },
    )
    if (done === 'done') {
      child?.kill('SIGKILL')
      return crashes
    }
    await sql`update rowbeat.workers set seen_at = now() - interval '1 minute'`
    await sweep()
  }
}

for (const [how, fate] of [
  ['process.exit', 'exit'],
  ['process.abort', 'abort'],
] as const) {
  t.test(`${how} in a task ends that run and no other`, { buffered: true }, async (t) => {
    const { url, sql, db } = await setup(t)
    await until(
      'the server has run for ten seconds',
      async () => (await sql`select now() - pg_postmaster_start_time() > interval '11 s' as old`)[0]!.old,
      { timeout: 20_000 },
    )
    const rowbeat = createRowbeat({ databaseUrl: url })
    t.teardown(() => rowbeat.close())
    const good = fate === 'exit' ? 300 : 50
    const items: { task: typeof scripted; input: Script }[] = Array.from({ length: good }, (_, i) => ({
      task: scripted,
      input: { ms: i % 30 },
    }))
    items.splice(5, 0, { task: scripted, input: { fate, ms: 30 } })
    if (fate === 'exit')
      items.splice(100, 0, { task: scripted, input: { fate, times: 2, value: 'survived' } })
    const handles = await rowbeat.enqueueMany(items)
    const crashes = await outlive(t, url, items.length, sql, () => sweepDead(db, 10, 3600))
    t.ok(crashes >= 3 && crashes <= 8, `${crashes} crashes`)
    t.match(await rowbeat.run(scripted, handles[5]!.id).get(), {
      state: 'FAILURE',
      reason: 'worker_lost',
      redeliveries: 3,
      attempt: 1,
    })
    const rows =
      await sql`select count(*)::int as n, max(attempt) as attempt, max(redeliveries) as redeliveries from rowbeat.results where state = 'SUCCESS'`
    t.match(rows, [{ n: items.length - 1, attempt: 1 }], 'every good one went well, on its first try')
    t.ok(rows[0]!.redeliveries <= 2, `the unluckiest neighbour was hit ${rows[0]!.redeliveries} times`)
    if (fate === 'exit')
      t.match(await rowbeat.run(scripted, handles[100]!.id).get(), {
        state: 'SUCCESS',
        result: 'survived',
        redeliveries: 2,
      })
    const [{ calm }] =
      (await sql`select count(*) filter (where redeliveries = 0)::int as calm from rowbeat.results`) as unknown as [
        { calm: number },
      ]
    t.ok(calm >= good * 0.8, `${calm} were never charged with anything`)
  })
}
