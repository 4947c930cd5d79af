/** `rowbeat migrate` and `rowbeat psql`. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { folder, rowbeat } from './command.ts'

t.test('migrate names what is pending, prints its SQL, applies it once', async (t) => {
  const { url, sql } = await setup(t, { empty: true })
  const migrate = (...words: string[]) => rowbeat(t, ['migrate', ...words], { env: { DATABASE_URL: url } })
  const isEmpty = async (): Promise<boolean> =>
    (await sql`select from pg_namespace where nspname like 'rowbeat%'`).length === 0

  const dry = await migrate('--dry-run')
  t.match(dry, { code: 0, stdout: /^graphile-worker 0 -> \d+\n0001_pre_store\n(.*\n)*views \w+\n$/ })
  t.match(dry.stderr, /^\d+ steps pending; nothing was changed\.\n$/)
  const text = await migrate('--sql')
  t.match(text.stdout, /^-- 0001_pre_store$/m)
  t.match(text.stdout, /create table rowbeat\.results/)
  const pending = JSON.parse((await migrate('--dry-run', '--json')).stdout)
  t.match(pending, { applied: [], pending: dry.stdout.trim().split('\n') })
  t.ok(await isEmpty(), 'asking changes nothing')

  t.match(await migrate(), { code: 0, stdout: dry.stdout, stderr: /^\d+ steps applied\.\n$/ })
  t.match(await migrate(), {
    code: 0,
    stdout: '',
    stderr: 'The database is at the schema of this release.\n',
  })
  t.strictSame(JSON.parse((await migrate('--json')).stdout), { applied: [], pending: [] })
})

t.test('several at once apply each step once', async (t) => {
  const { url } = await setup(t, { empty: true })
  const all = await Promise.all(
    [1, 2, 3].map(() => rowbeat(t, ['migrate', '--json'], { env: { DATABASE_URL: url } })),
  )
  const applied = all.flatMap(({ stdout }) => JSON.parse(stdout).applied as string[])
  t.strictSame(
    all.map(({ code }) => code),
    [0, 0, 0],
  )
  t.equal(applied.length, new Set(applied).size)
})

t.test('psql gets the address without the password, its own words, and gives its exit code', async (t) => {
  const bin = folder(t)
  writeFileSync(join(bin, 'psql'), '#!/bin/sh\necho "$PGPASSWORD" "$@"\nexit ${CODE:-0}\n')
  chmodSync(join(bin, 'psql'), 0o755)
  const run = (env: Record<string, string>) =>
    rowbeat(t, ['psql', '--data-dir', bin, '-At', '-c', 'select 1'], {
      env: { DATABASE_URL: 'postgres://me:s3%20t@db.example:5433/shop?sslmode=require', PATH: bin, ...env },
    })
  const fake = { PATH: `${bin}:/usr/bin:/bin` }
  t.match(await run(fake), {
    code: 0,
    stdout: 's3 t postgres://me@db.example:5433/shop?sslmode=require -At -c select 1\n',
  })
  t.match(await run({ ...fake, CODE: '2' }), { code: 3 })
  t.match(await run({ ...fake, CODE: '3' }), { code: 1 })
  const lonely = folder(t)
  t.match(await run({ PATH: lonely }), {
    code: 2,
    stderr: /^rowbeat: psql is not installed: install it \(.*\n$/,
  })
})
