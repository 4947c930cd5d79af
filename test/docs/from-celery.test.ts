/**
 * docs/explanation/from-celery.md and schedules.md tell the truth: the table of probes is the fixture that is measured, each row
 * of complaints has its test, the rows of django-celery-beat move as written, and the nights when clocks change are the preview's.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createAlmanac } from '../../src/schedules/almanac.ts'
import { setup } from '../helpers/bundle.ts'
import { ROOT } from '../helpers/process.ts'
import { blocksOf, codeOf, readPage, rowsBy } from './page.ts'

const page = readPage('docs/explanation/from-celery.md')
const plain = (cell: string): string => cell.replaceAll('\\', '')

t.test('the table of probes is the fixture: theirs as they answered, ours as it is measured', async (t) => {
  const file = join(ROOT, 'test/fixtures/conformance/django_celery_beat_behaviour.json')
  const { probes } = JSON.parse(readFileSync(file, 'utf8'))
  const rows = rowsBy(page, 'Probe')
  t.equal(rows.length, 49)
  t.strictSame(
    rows.map((row) => [codeOf(row.Probe!), plain(row['django-celery-beat']!), plain(row.Rowbeat!)]),
    probes.map((one: Record<string, string>) => [
      one.probe,
      `${one.fault ? '**fault:** ' : ''}${one.theirs}`,
      one.ours,
    ]),
  )
})

t.test('each complaint is a test of ours, whose name says so', async (t) => {
  const rows = rowsBy(page, '#')
  t.strictSame(
    rows.map((row) => Number(row['#'])),
    [...Array.from({ length: 17 }, (_, i) => i + 1), 41],
  )
  for (const row of rows) {
    const files = [...row['Shown by']!.matchAll(/`([^`]+)`/g)].map(([, file]) => file!)
    t.ok(files.length > 0)
    for (const file of files)
      t.match(readPage(file), new RegExp(`[\`']celery row ${row['#']}: `), `${row['#']} in ${file}`)
  }
})

const PERIODIC_TASK =
  'name task interval crontab solar clocked args kwargs queue exchange routing_key headers priority expires expire_seconds one_off start_time ' +
  'enabled last_run_at total_run_count date_changed description'

t.test('every field of PeriodicTask has its column', async (t) => {
  const { sql } = await setup(t)
  const rows = rowsBy(page, 'Field')
  const fields = rows.flatMap((row) => [...row.Field!.matchAll(/`(\w+)`/g)].map(([, field]) => field!))
  t.strictSame(fields.toSorted(), PERIODIC_TASK.split(' ').toSorted())
  const columns =
    await sql`select column_name as name from information_schema.columns where table_schema = 'rowbeat' and table_name = 'schedules'`
  for (const row of rows) {
    const column = codeOf(row.Column!)
    if (!row.Column!.startsWith('none'))
      t.ok(
        columns.some(({ name }) => name === column),
        `${row.Field}: ${column}`,
      )
  }
})

t.test('rows of django-celery-beat move as the page says', async (t) => {
  const { sql } = await setup(t)
  await sql.unsafe(`
    create table django_celery_beat_crontabschedule (id int primary key, minute text, hour text, day_of_week text, day_of_month text, month_of_year text, timezone text);
    create table django_celery_beat_intervalschedule (id int primary key, every int, period text);
    create table django_celery_beat_solarschedule (id int primary key, event text, latitude numeric(9, 6), longitude numeric(9, 6));
    create table django_celery_beat_clockedschedule (id int primary key, clocked_time timestamptz);
    create table django_celery_beat_periodictask (id serial primary key, name text, task text, args text default '[]', kwargs text default '{}', queue text,
      exchange text, routing_key text, expires timestamptz, enabled bool default true, last_run_at timestamptz, total_run_count int default 0,
      date_changed timestamptz default now(), description text default '', crontab_id int, interval_id int, solar_id int, clocked_id int,
      one_off bool default false, start_time timestamptz, priority int, headers text default '{}', expire_seconds int);
    insert into django_celery_beat_crontabschedule values (1, '0', '3', 'mon-fri', '*', '*', 'Europe/Kyiv');
    insert into django_celery_beat_intervalschedule values (1, 10, 'seconds'), (2, 250000, 'microseconds');
    insert into django_celery_beat_solarschedule values (1, 'sunset', 50.45, 30.52);
    insert into django_celery_beat_clockedschedule values (1, '2040-01-31T12:00:00.5Z');
    insert into django_celery_beat_periodictask (name, task, args, kwargs, queue, priority, headers, expire_seconds, crontab_id, description)
      values ('nightly', 'books.import', '[]', '{"path": "in.csv"}', 'high', 3, '{"a": 1}', 3600, 1, 'Books.');
    insert into django_celery_beat_periodictask (name, task, args, interval_id, start_time, expires, enabled)
      values ('often', 'demo.add', '[1, 2]', 1, '2030-01-01T00:00:00Z', '2031-01-01T00:00:00Z', false);
    insert into django_celery_beat_periodictask (name, task, interval_id) values ('quick', 'demo.add', 2);
    insert into django_celery_beat_periodictask (name, task, solar_id) values ('dusk', 'demo.add', 1);
    insert into django_celery_beat_periodictask (name, task, clocked_id, one_off) values ('once', 'demo.add', 1, true);
    insert into django_celery_beat_periodictask (name, task, crontab_id) values ('celery.backend_cleanup', 'celery.backend_cleanup', 1);`)
  const [block] = blocksOf(page).filter(({ language }) => language === 'postgresql')
  await sql.unsafe(block!.text)
  const rows = await sql`select * from rowbeat.schedules order by name`
  const almanac = createAlmanac()
  for (const { schedule } of rows) t.ok('spec' in almanac.read(schedule), JSON.stringify(schedule))
  t.match(rows, [
    { name: 'dusk', schedule: { kind: 'solar', event: 'sunset', latitude: 50.45, longitude: 30.52 } },
    {
      name: 'nightly',
      task: 'books.import',
      input: { path: 'in.csv' },
      queue: 'high',
      priority: 3,
      headers: { a: 1 },
      expires: '01:00:00',
      description: 'Books.',
      enabled: true,
      schedule: { kind: 'crontab', minute: '0', hour: '3', day_of_week: 'mon-fri', timezone: 'Europe/Kyiv' },
    },
    {
      name: 'often',
      input: { args: [1, 2] },
      enabled: false,
      start_at: new Date('2030-01-01T00:00:00Z'),
      end_at: new Date('2031-01-01T00:00:00Z'),
      schedule: { kind: 'interval', every: 10, period: 'seconds' },
    },
    { name: 'once', one_off: true, schedule: { kind: 'clocked', at: '2040-01-31T12:00:00.500Z' } },
    { name: 'quick', schedule: { kind: 'interval', every: 250, period: 'milliseconds' } },
  ])
  t.equal(rows.length, 5)
})

t.test('the nights when clocks change are what the preview says', async (t) => {
  const rows = rowsBy(readPage('docs/explanation/schedules.md'), 'Crontab')
  t.equal(rows.length, 8)
  const almanac = createAlmanac()
  for (const row of rows) {
    const [minute, hour, day_of_month, month_of_year, day_of_week] = codeOf(row.Crontab!).split(' ')
    const read = almanac.read({
      kind: 'crontab',
      minute,
      hour,
      day_of_month,
      month_of_year,
      day_of_week,
      timezone: row.Zone,
    })
    if ('faults' in read) throw new Error(JSON.stringify(read.faults))
    const count = row['Next runs']!.split(', ').length
    const { runs, notes } = almanac.preview(read.spec, { anchorMs: 0 }, Date.parse(row.After!), count)
    const told = runs.map(
      ({ local, dst }) =>
        `${local.slice(5, 10)} ${local.slice(11, 16)}${local.slice(19)}${dst ? ` (${dst})` : ''}`,
    )
    t.equal(row['Next runs'], told.join(', '))
    t.equal(row['Note of the preview'], notes.join(' '))
  }
})
