/** docs/reference/sql.md has every function that is meant to be called, with its real parameters and options. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { codeOf, readPage, rowsBy, tablesOf } from './page.ts'

const page = readPage('docs/reference/sql.md')

t.test('every function without a version in its name is told, with its parameters', async (t) => {
  const { sql } = await setup(t)
  const found = await sql<{ name: string; parameters: string[][] }[]>`
    select p.proname as name, coalesce(json_agg(json_build_array(a.name, format_type(a.type, null)) order by a.n) filter (where a.n is not null), '[]') as parameters
    from pg_proc p left join lateral unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) with ordinality a(name, type, n) on p.pronargs > 0
    where p.pronamespace = 'rowbeat'::regnamespace and p.proname !~ '_v[0-9]+$' group by p.oid, p.proname`
  const real = Object.fromEntries(
    found.map(({ name, parameters }) => [
      name,
      parameters.map(([parameter, type]) => [
        parameter,
        type === 'timestamp with time zone' ? 'timestamptz' : type,
      ]),
    ]),
  )
  const headings = [...page.matchAll(/^## rowbeat\.(\w+)$/gm)].map(([, name]) => name!)
  const tables = tablesOf(page)
  const told = Object.fromEntries(
    headings.map((name) => {
      const table = tables.find(
        (one) => one.heading === `rowbeat.${name}` && 'Parameter' in (one.rows[0] ?? {}),
      )
      return [name, (table?.rows ?? []).map((row) => [codeOf(row.Parameter!), row.Type])]
    }),
  )
  t.strictSame(told, real)
})

t.test('every key of options is taken, and no other is told', async (t) => {
  const { sql } = await setup(t)
  const [{ source }] = await sql<[{ source: string }]>`
    select prosrc as source from pg_proc where oid = 'rowbeat.enqueue_v1'::regproc`
  const real = /<> all \('\{([a-z_,]+)\}'\)/.exec(source)![1]!.split(',')
  const told = tablesOf(page).flatMap(({ rows }) => rows.map((row) => row['Key of `options`'] ?? ''))
  t.strictSame(told.filter(Boolean).map(codeOf).toSorted(), real.toSorted())
})

t.test('each SQLSTATE is what the function raises', async (t) => {
  const { sql } = await setup(t)
  const big = JSON.stringify({ text: 'x'.repeat(1_600_000) })
  await sql`select rowbeat.enqueue('test.one', unique_key => 'held')`
  const calls: Record<string, () => Promise<unknown>> = {
    '22023': async () => await sql`select rowbeat.enqueue('test.one', priority => 40000)`,
    '23505': async () =>
      await sql`select rowbeat.enqueue('test.one', unique_key => 'held', options => '{"on_conflict": "reject"}')`,
    '22P05': async () => await sql`select rowbeat.enqueue('test.one', ${'{"a": "\\u0000"}'}::text::jsonb)`,
    '55000': async () => await sql`select rowbeat.retry(rowbeat.enqueue('test.one'))`,
    P0002: async () => await sql`select rowbeat.revoke('0192a0f0-0000-7000-8000-0000000000ff')`,
    '54000': async () => await sql`select rowbeat.enqueue('test.one', ${big}::text::jsonb)`,
  }
  const told = [...new Set(rowsBy(page, 'SQLSTATE').map((row) => codeOf(row.SQLSTATE!)))]
  t.strictSame(told.toSorted(), Object.keys(calls).toSorted())
  for (const [code, call] of Object.entries(calls)) await t.rejects(call(), { code })
})
