/**
 * Compile-only: what a result is typed as. It is what JSON gives back, and `result` is there only where state is SUCCESS.
 */
import { createRowbeat, task, type OutputOf, type Run, type RunState } from '../../src/index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_ extends true>(): void => {}
const rowbeat = createRowbeat({ databaseUrl: 'postgres://localhost/never' })

const report = task('r.report', {}, async ({ id }: { id: number }) => ({
  id,
  at: new Date(0),
  rows: [{ when: new Date(0) as Date | null, price: 1 }] as const,
  note: undefined as string | undefined,
  format: () => 'never stored',
  maybe: Math.random() > 2 ? { deep: new Date(0) } : null,
}))
interface Report {
  id: number
  at: string
  rows: readonly [{ readonly when: string | null; readonly price: 1 }]
  note: string | undefined
  maybe: { deep: string } | null
}
const handle = await rowbeat.enqueue(report, { id: 1 })
const stored = await handle.result({ timeout: '10s' })
const same: Report = stored
holds<Equal<typeof stored.at, string>>()
holds<Equal<(typeof stored.rows)[0]['when'], string | null>>()
// @ts-expect-error a stored Date is text
stored.at.getTime()
// @ts-expect-error a function is not stored
stored.format()

// void and undefined come back as null, a bigint and a Map never.
holds<Equal<OutputOf<typeof nothing>, null>>()
const nothing = task('r.nothing', {}, async () => {})
holds<Equal<OutputOf<typeof optional>, number | null>>()
const optional = task('r.optional', {}, () => (Math.random() > 2 ? Number('1') : undefined))
holds<Equal<OutputOf<typeof big>, never>>()
const big = task('r.big', {}, () => 1n)
const custom = task('r.custom', {}, () => ({ toJSON: () => ({ amount: 5 }) }))
holds<Equal<OutputOf<typeof custom>, { amount: number }>>()

// By name nothing is known of the result; by the task everything.
const unknownResult: unknown = await (await rowbeat.enqueue('r.report')).result()
const again = rowbeat.run(report, handle.id)
holds<Equal<Awaited<ReturnType<typeof again.result>>, typeof stored>>()
const byId: unknown = await rowbeat.run(null, handle.id).result()

// The state tells the shape.
const run: Run<{ sum: number }> | null = await rowbeat
  .run(
    task('r.sum', {}, () => ({ sum: 1 })),
    handle.id,
  )
  .get()
// @ts-expect-error an unknown id answers null
run.state.at(0)
if (run) {
  // @ts-expect-error not before the state is known
  run.result.sum.toFixed()
  if (run.state === 'SUCCESS') holds<Equal<typeof run.result, { sum: number }>>()
  if (run.state === 'SUCCESS') holds<Equal<typeof run.error, null>>()
  if (run.state === 'FAILURE') run.error?.message.toUpperCase()
  if (run.state === 'PENDING') holds<Equal<typeof run.result, null>>()
  // @ts-expect-error a state that is none
  if (run.state === 'DONE') run.id.at(0)
  holds<Equal<typeof run.createdAt, string>>()
  holds<Equal<typeof run.softTimeLimit, number | null>>()
  // @ts-expect-error a run that was read is not changed
  run.priority = 3
}
for await (const now of handle.watch()) {
  const state: RunState = now.state
  if (now.progress) now.progress.percent?.toFixed()
  if (state === 'SUCCESS' && now.state === 'SUCCESS') now.result.at.toUpperCase()
}

export { byId, same, unknownResult }
