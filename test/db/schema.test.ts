import { execFileSync } from 'node:child_process'
import { desc, eq, is } from 'drizzle-orm'
import { getTableConfig, getViewConfig, PgTable, type PgColumn } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import t from 'tap'
import * as schema from '../../src/drizzle.ts'
import { createRowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

interface Column {
  table: string
  name: string
  type: string
  required: boolean
  defaulted: boolean
  keyed: boolean
}

/** Tables are compared in all of it; of a view the catalogue knows names and types only. */
function describe(table: string, column: PgColumn, keys: readonly string[]): Column {
  return {
    table,
    name: column.name,
    type: column.getSQLType(),
    required: column.notNull,
    // Not what drizzle fills in for a trigger to replace.
    defaulted: [column.default, column.generated, column.generatedIdentity].some((it) => it !== undefined),
    keyed: column.primary || keys.includes(column.name),
  }
}

t.test('the drizzle values are what the migrations made', async (t) => {
  const { sql } = await setup(t)
  const actual = (await sql`
    select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
      a.atthasdef or a.attidentity <> '' as defaulted,
      exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p' and a.attnum = any (k.conkey)) as keyed
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'rowbeat'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname collate "C", a.attnum`) as unknown as Column[]
  const declared = Object.values(schema)
    .filter((value) => is(value, PgTable))
    .flatMap((value) => {
      const { name, columns, primaryKeys } = getTableConfig(value as PgTable)
      const keys = primaryKeys.flatMap((key) => key.columns.map((column) => column.name))
      return columns.map((column) => describe(name, column, keys))
    })
  const byTable = (columns: readonly Column[]): Record<string, Column[]> =>
    Object.groupBy(columns, (column) => column.table) as Record<string, Column[]>
  const [is_, ought] = [byTable(declared), byTable([...actual])]
  t.strictSame(Object.keys(is_).sort(), Object.keys(ought).sort(), 'the same tables')
  for (const [table, columns] of Object.entries(ought))
    t.strictSame(
      is_[table],
      columns.map((column) => ({ ...column })),
      table,
    )
})

t.test('the view has the columns of rowbeat.runs, in order', async (t) => {
  const { sql } = await setup(t)
  const actual = await sql`
    select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
    where attrelid = 'rowbeat.runs'::regclass and attnum > 0 order by attnum`
  const { name, schema: owner, selectedFields } = getViewConfig(schema.runs)
  t.equal(`${owner}.${name}`, 'rowbeat.runs')
  t.strictSame(
    Object.values(selectedFields).map((column) => ({
      name: (column as PgColumn).name,
      type: (column as PgColumn).getSQLType(),
    })),
    actual.map((column) => ({ ...column })),
  )
})

t.test('a drizzle user queries runs like any table', async (t) => {
  const { url } = await setup(t)
  const client = postgres(url, { max: 2 })
  t.teardown(() => client.end())
  const db = drizzle({ client })
  const rowbeat = createRowbeat({ db })
  const { id } = await rowbeat.enqueue('demo.add', { x: 1 }, { tags: ['a'], timeLimit: '5s' })
  const rows = await db
    .select()
    .from(schema.runs)
    .where(eq(schema.runs.task, 'demo.add'))
    .orderBy(desc(schema.runs.id))
  t.match(rows, [
    { id, state: 'PENDING', input: { x: 1 }, tags: ['a'], timeLimit: 5, createdAt: Date, result: null },
  ])
  await rowbeat.close()
})

t.test('a drizzle user schedules by an insert, and sees what became of it', async (t) => {
  const { url } = await setup(t)
  const client = postgres(url, { max: 2 })
  t.teardown(() => client.end())
  const db = drizzle({ client })
  const schedule = { kind: 'interval', every: 10, period: 'seconds' } as const
  const [made] = await db
    .insert(schema.schedules)
    .values({ name: 'tick', task: 'demo.add', schedule, expires: '5 minutes' })
    .returning()
  t.match(made, { name: 'tick', kind: 'interval', version: 1, anchorAt: Date, tags: [], enabled: true })
  await db.update(schema.schedules).set({ description: 'x' }).where(eq(schema.schedules.id, made!.id))
  t.match(await db.select().from(schema.schedules), [{ version: 2, description: 'x', expires: '00:05:00' }])
  t.strictSame(await db.select().from(schema.firings), [])
})

t.test('nothing that enqueues, works or serves loads drizzle-orm', async (t) => {
  const code = `
    await import('./src/index.ts')
    await import('./src/worker/worker.ts')
    await import('./src/api/server.ts')
    console.log('loaded')`
  const hook = `
    import { registerHooks } from 'node:module'
    registerHooks({ resolve(specifier, context, next) {
      if (/^(drizzle-orm|adminjs)/.test(specifier)) throw new Error('loads ' + specifier + ' from ' + context.parentURL)
      return next(specifier, context)
    } })`
  const said = execFileSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, '--input-type=module', '-e', code],
    { cwd: new URL('../..', import.meta.url), encoding: 'utf8' },
  )
  t.match(said, 'loaded')
})
