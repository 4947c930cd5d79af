/** docs/reference/tables.md has every table, view and column of the schema rowbeat, and no other, with its type. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { codeOf, readPage, tablesOf } from './page.ts'

const SHORT: Record<string, string> = {
  'double precision': 'float8',
  'timestamp with time zone': 'timestamptz',
}

t.test('every column of every table and view is told, in order, with its type', async (t) => {
  const { sql } = await setup(t)
  const found = await sql<{ table: string; columns: string[][] }[]>`
    select c.relname as table, json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) order by a.attnum) as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'rowbeat'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
    group by c.relname`
  const real = Object.fromEntries(
    found.map(({ table, columns }) => [table, columns.map(([name, type]) => [name, SHORT[type!] ?? type])]),
  )
  const told = Object.fromEntries(
    tablesOf(readPage('docs/reference/tables.md')).map(({ heading, rows }) => [
      heading,
      rows.map((row) => [codeOf(row.Column!), row.Type]),
    ]),
  )
  t.strictSame(told, real)
})

t.test('each column has a meaning', async (t) => {
  for (const { heading, rows } of tablesOf(readPage('docs/reference/tables.md')))
    for (const row of rows) t.ok(row.Meaning!.length > 3, `${heading} ${row.Column}`)
})
