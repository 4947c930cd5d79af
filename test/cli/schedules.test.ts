/** `rowbeat schedules …` as people run it: what it prints, and how it exits. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { folder, rowbeat as rowbeatAlone, startRowbeat, type Said } from './command.ts'
import { createHere } from './here.ts'

const rowbeat = createHere()

const { url, sql } = await setup(t)
await sql`insert into rowbeat.tasks (name, input_schema) values
  ('demo.echo', null), ('demo.add', '{"type": "object", "required": ["x", "y"], "properties": {"x": {"type": "number"}, "y": {"type": "number"}}}')`

const ask = (...words: string[]): Promise<Said> =>
  rowbeat(t, ['schedules', ...words], { env: { DATABASE_URL: url, ROWBEAT_TIMEZONE: 'Europe/Kyiv' } })
const read = async (which: string): Promise<any> => JSON.parse((await ask('show', which, '--json')).stdout)

t.test('the help names every command of the family, and each its flags', async (t) => {
  const { code, stdout } = await ask('--help')
  t.equal(code, 0)
  const family =
    'list show firings versions timeline preview orphans create edit delete pause resume revert run backfill dry-run export import'
  for (const command of family.split(' ')) t.match(stdout, new RegExp(`^  ${command} `, 'm'))
  const create = await ask('create', '--help')
  t.match(create.stdout, /^Usage: rowbeat schedules create \[options\] <name> <task> \[input\]/)
  for (const flag of ['--json', '--database-url', '--cron', '--catch-up-window', 'Exit codes'])
    t.match(create.stdout, flag)
})

t.test('create prints the id; each way to say when is taken', async (t) => {
  const made = await ask('create', 'nightly', 'demo.add', '{"x": 1, "y": 2}', '--cron', '0 3 * * *')
  t.match(made, { code: 0, stdout: /^[0-9a-f-]{36}\n$/, stderr: '' })
  t.match(await read('nightly'), {
    id: made.stdout.trim(),
    input: { x: 1, y: 2 },
    schedule: { kind: 'crontab', minute: '0', hour: '3', timezone: 'Europe/Kyiv' },
    text: 'at 03:00',
  })
  t.equal((await read(made.stdout.trim())).name, 'nightly', 'found by its id')
  const ways: [words: string[], schedule: object][] = [
    [['--every', '15 minutes'], { kind: 'interval', every: 15, period: 'minutes' }],
    [['--every', '1 month'], { kind: 'interval', every: 1, period: 'months' }],
    [
      ['--cron', '@daily', '--timezone', 'Asia/Tokyo', '--mode', 'cron'],
      { minute: '0', timezone: 'Asia/Tokyo', mode: 'cron' },
    ],
    [
      ['--solar', 'sunset', '--latitude', '50.45', '--longitude', '-30.52'],
      { event: 'sunset', longitude: -30.52 },
    ],
    [['--at', '2099-01-31T12:00:00+02:00'], { kind: 'clocked', at: '2099-01-31T10:00:00.000Z' }],
  ]
  for (const [n, [words, schedule]] of ways.entries()) {
    const { code, stdout } = await ask('create', `way ${n}`, 'demo.echo', ...words, '--json')
    t.equal(code, 0, words.join(' '))
    t.match(JSON.parse(stdout).schedule, schedule)
  }
  const options =
    '--queue high --priority -5 --tag a b --headers {"h":1} --expires 2h --one-off --start 2026-01-01T00:00:00Z --end 2099-01-01T00:00:00Z --anchor 2025-01-01T00:00:00Z --jitter 5s --overlap skip --catch-up all --catch-up-window 1d --firings-max 9 --failures-max 3 --disabled'
  await ask(
    'create',
    'full',
    'demo.echo',
    '--every',
    '10s',
    ...options.split(' '),
    '--description',
    'what for',
  )
  t.match(await read('full'), {
    queue: 'high',
    priority: -5,
    tags: ['a', 'b'],
    headers: { h: 1 },
    expires: 7200,
    one_off: true,
    start_at: '2026-01-01T00:00:00.000Z',
    end_at: '2099-01-01T00:00:00.000Z',
    anchor_at: '2025-01-01T00:00:00.000Z',
    jitter: 5,
    overlap: 'skip',
    catch_up: 'all',
    catch_up_window: 86_400,
    firings_max: 9,
    failures_max: 3,
    enabled: false,
    description: 'what for',
  })
})

t.test('list and show are tables for people, documents with --json', async (t) => {
  await ask('create', 'zz listed', 'demo.echo', '--every', '90s', '--tag', 'listed')
  await ask('create', 'zz off', 'demo.echo', '--every', '1h', '--tag', 'listed')
  await ask('pause', 'zz off', '--reason', 'repairs')
  const table = await ask('list', '--tag', 'listed')
  const [head, first, second, end] = table.stdout.split('\n')
  t.match(head, /^NAME +TASK +WHEN +NEXT +STATE$/)
  t.match(first, /^zz listed  demo\.echo  every 90 seconds  -     on$/)
  t.match(second, /^zz off     demo\.echo  every hour        -     off \(repairs\)$/)
  t.equal(end, '')
  const page = await ask('list', '--tag', 'listed', '--limit', '1')
  t.match(page.stderr, /There are more: --after "zz listed"/)
  const rest = await ask('list', '--tag', 'listed', '--after', 'zz listed', '--json')
  t.match(JSON.parse(rest.stdout), { items: [{ name: 'zz off' }], next: null })
  t.match(await ask('list', '--off', '--kind', 'solar'), {
    code: 0,
    stdout: '',
    stderr: 'No schedules match.\n',
  })

  const shown = await ask('show', 'zz listed')
  t.match(shown.stdout, /^when +every 90 seconds$/m)
  t.match(shown.stdout, /^task +demo\.echo$/m)
  t.match(shown.stdout, /^tags +\["listed"\]$/m)
  t.equal(shown.stdout.match(/^\d{4}-\d\d-\d\dT\S+Z/gm)?.length, 5, 'with the next five')
})

t.test('edit changes what is given, unsets what is said, and minds the version', async (t) => {
  await ask('create', 'edited', 'demo.echo', '--cron', '0 3 * * *', '--queue', 'high', '--expires', '1h')
  const edited = await ask(
    'edit',
    'edited',
    '--priority',
    '3',
    '--unset',
    'queue',
    'expires',
    '--timezone',
    'UTC',
  )
  t.match(edited, { code: 0, stdout: '', stderr: 'edited is at version 2 now, at 03:00.\n' })
  t.match(await read('edited'), {
    priority: 3,
    queue: null,
    expires: null,
    schedule: { hour: '3', timezone: 'UTC' },
  })
  t.match(await ask('edit', 'edited', '--task', 'demo.add', '--input', '{"x": 1}'), {
    code: 2,
    stderr: /\/input\/y/,
  })
  t.match(await ask('edit', 'edited', '--priority', '4', '--if-version', '1'), {
    code: 1,
    stderr: /at version 2 now/,
  })
  t.match(await ask('edit', 'edited', '--priority', '4', '--if-version', '2'), { code: 0 })
  t.match(await ask('edit', 'edited', '--name', 'renamed'), { code: 0, stderr: /^renamed is at version 4/ })
  t.match(await ask('edit', 'edited', '--priority', '1'), {
    code: 1,
    stderr: /No schedule is named "edited"/,
  })
  t.match(await ask('delete', 'renamed', '--if-version', '3'), { code: 1 })
  t.match(await ask('delete', 'renamed'), { code: 0, stderr: 'renamed is deleted.\n' })
})

t.test('pause, resume, run, firings, backfill', async (t) => {
  const { stdout } = await ask(
    'create',
    'fired',
    'demo.add',
    '{"x": 1, "y": 2}',
    '--cron',
    '0 3 * * *',
    '--timezone',
    'UTC',
  )
  const id = stdout.trim()
  t.match(await ask('pause', id, '--until', '2 hours'), {
    code: 0,
    stderr: /^fired is paused until .*Z\.\n$/,
  })
  t.match(await ask('resume', id), { code: 0, stderr: 'fired is switched on.\n' })
  const ran = await ask(
    'run',
    'fired',
    '--as-of',
    '2026-01-02T03:00:00Z',
    '--priority',
    '4',
    '--input',
    '{"x": 5, "y": 6}',
    '--json',
  )
  t.match(JSON.parse(ran.stdout), {
    due_at: '2026-01-02T03:00:00.000Z',
    priority: 4,
    input: { x: 5 },
    schedule: 'fired',
  })
  t.match(await ask('run', 'fired'), { code: 0, stdout: /^[0-9a-f-]{36}\n$/ })
  t.match(await ask('run', 'fired', '--timeout', '100ms'), { code: 4 })

  const stretch = ['--from', '2026-01-01T00:00:00Z', '--to', '2026-01-03T12:00:00Z']
  const dry = await ask('backfill', 'fired', ...stretch, '--dry-run')
  t.match(dry.stderr, '2 instants would be fired; 1 had been fired before.')
  t.match(dry.stdout, /^2026-01-01T03:00:00\.000Z  -$/m)
  t.match(await ask('backfill', 'fired', ...stretch), { code: 0, stderr: /^2 instants fired; 1 had/ })
  t.match(JSON.parse((await ask('backfill', 'fired', ...stretch, '--json')).stdout), {
    items: [],
    fired_before: 3,
  })
  t.match(await ask('backfill', 'fired', '--from', '2000-01-01T00:00:00Z', '--to', '2026-01-01T00:00:00Z'), {
    code: 2,
    stderr: /more than 1000/,
  })

  const { stdout: table } = await ask('firings', 'fired', '--limit', '3')
  const lines = table.trimEnd().split('\n')
  t.match(lines[0], /^DUE +STATE +LATE +RUN$/)
  t.equal(lines.length, 4)
  const all = JSON.parse((await ask('firings', 'fired', '--json')).stdout)
  t.equal(all.items.length, 5)
  t.match(all.items.at(-1), { due_at: '2026-01-01T03:00:00.000Z', reason: 'backfill', state: 'fired' })
  const more = await ask('firings', id, '--json', '--before', '2026-01-02T03:00:00Z', '--state', 'fired')
  t.equal(JSON.parse(more.stdout).items.length, 1)
})

t.test(
  'preview tells the next instants in UTC and on the clock there, and what its changes do',
  async (t) => {
    const kyiv = ['--cron', '30 3 * * *', '--timezone', 'Europe/Kyiv', '--count', '2']
    const spring = await ask('preview', ...kyiv, '--after', '2026-03-28T02:00:00Z')
    t.equal(spring.code, 0)
    t.match(spring.stderr, /^at 03:30\n/)
    t.match(
      spring.stdout,
      /^2026-03-29T01:00:00\.000Z  2026-03-29T04:00:00\+03:00  moved: the clock jumps over its time$/m,
    )
    t.match(spring.stdout, /the clock changes from \+02:00 to \+03:00/)
    const autumn = await ask('preview', ...kyiv, '--after', '2026-10-24T12:00:00Z')
    t.match(autumn.stdout, /^2026-10-25T00:30:00\.000Z .* once: this time comes twice$/m)
    await ask('create', 'previewed', 'demo.echo', '--every', '10s', '--anchor', '2026-01-01T00:00:05Z')
    const saved = JSON.parse(
      (await ask('preview', 'previewed', '--after', '2026-02-01T00:00:00Z', '--count', '1', '--json')).stdout,
    )
    t.match(saved, { next: ['2026-02-01T00:00:05.000Z'], text: 'every 10 seconds' })
  },
)

t.test('what is not understood exits 2 and names it', async (t) => {
  const cases: [words: string[], line: RegExp][] = [
    [['frob'], /unknown command 'frob'/],
    [['create', 'x', 'demo.echo'], /\/schedule is missing/],
    [['create', 'x', 'demo.echo', '--cron', '0 3 * *'], /must be five fields/],
    [['create', 'x', 'demo.echo', '--cron', '61 3 * * *'], /minute must be 0-59/],
    [['create', 'x', 'demo.echo', '--every', 'never'], /is no interval/],
    [
      ['create', 'x', 'demo.echo', '--every', '1h', '--at', '2099-01-01T00:00:00Z'],
      /one of --every and --at/,
    ],
    [['create', 'x', 'demo.echo', '--every', '1h', '--timezone', 'UTC'], /--timezone goes with --cron/],
    [['create', 'x', 'demo.echo', '--solar', 'sunset'], /give --latitude and --longitude/],
    [
      ['create', 'x', 'demo.echo', '--solar', 'sunset', '--latitude', '99', '--longitude', '0'],
      /from -90 to 90/,
    ],
    [['create', 'x', 'demo.echo', '--at', 'tomorrow'], /Give an instant/],
    [['create', 'x', 'demo.echo', '--at', '2020-01-01T00:00:00Z'], /is past/],
    [['create', 'x', 'demo.nothing', '--every', '1h'], /No process ever registered/],
    [['create', 'x', 'demo.echo', '{x}', '--every', '1h'], /The input is not JSON/],
    [
      ['create', 'x', 'demo.echo', '--every', '1h', '--overlap', 'x'],
      /Give allow, skip, buffer_one or cancel_other/,
    ],
    [['edit', 'x'], /Say what to change/],
    [['edit', 'x', '--if-version', '0'], /--if-version/],
    [['pause', 'x', '--until', 'soon'], /--until is "soon"/],
    [['firings', 'x', '--state', 'done'], /"done" is no state of a firing/],
    [['preview'], /Name a schedule, or say when/],
    [['preview', 'x', '--every', '1h'], /Name a schedule, or say when/],
    [['list', '--on', '--off'], /either --on or --off/],
    [['backfill', 'x', '--from', '2026-01-01T00:00:00Z'], /--to/],
    [['import', '/nowhere/at/all.json'], /cannot be read/],
    [[], /Usage: rowbeat schedules/],
  ]
  await Promise.all(
    cases.map(async ([words, line]) => {
      const { code, stdout, stderr } = await ask(...words)
      t.equal(code, 2, `${words.join(' ')}: ${stderr}`)
      t.equal(stdout, '', words.join(' '))
      t.match(stderr, line, words.join(' '))
      t.notMatch(stderr, /^\s+at /m)
    }),
  )
  for (const command of ['show', 'delete', 'run'])
    t.match(await ask(command, 'nobody'), { code: 1, stderr: /No schedule is named "nobody"/ }, command)
  const document = JSON.parse((await ask('show', 'nobody', '--json')).stdout)
  t.match(document, { error: { name: 'ScheduleError', code: 'RB_SCHEDULE_NOT_FOUND' } })
})

t.test('export prints what import takes', async (t) => {
  await ask('create', 'moved', 'demo.echo', '--cron', '0 3 * * *', '--tag', 'moving', '--expires', '1h')
  const { stdout } = await ask('export', '--tag', 'moving')
  t.match(JSON.parse(stdout), { rowbeat: 1, schedules: [{ name: 'moved', expires: 3600 }] })
  const file = join(folder(t), 'schedules.json')
  writeFileSync(file, stdout)
  t.match(await ask('import', file), { code: 1, stderr: /\/schedules\/0\/name "moved" stands already/ })
  t.match(await ask('import', file, '--mode', 'skip'), {
    code: 0,
    stderr: '0 created, 0 replaced, 1 skipped.\n',
  })
  await ask('delete', 'moved')
  t.match(JSON.parse((await ask('import', file, '--json')).stdout), { created: 1, replaced: 0, skipped: 0 })
  t.match(await read('moved'), JSON.parse(readFileSync(file, 'utf8')).schedules[0])
  writeFileSync(file, stdout.replace('"3"', '"25"'))
  t.match(await ask('import', file, '--mode', 'replace'), {
    code: 2,
    stderr: /\/schedules\/0\/schedule\/hour/,
  })
})

t.test('versions, the way back, a dry run and the hours ahead', async (t) => {
  await ask('create', 'was', 'demo.add', '{"x": 1, "y": 2}', '--cron', '0 3 * * *', '--priority', '3')
  await ask('edit', 'was', '--cron', '0 4 * * *')
  await ask('pause', 'was', '--reason', 'holidays')
  const told = await ask('versions', 'was')
  t.match(
    told.stdout,
    /^VERSION  AT .*\n3 .*enabled pause_reason .*holidays\n2 .*schedule .*at 04:00.*\n1 .*made .*at 03:00/,
  )
  t.match(await ask('versions', 'was', '--limit', '1'), { stderr: 'There are more: --before 3\n' })
  t.match(JSON.parse((await ask('versions', 'was', '--before', '2', '--json')).stdout).items, [
    { version: 1 },
  ])
  t.match(await ask('revert', 'was', '--to', '1', '--reason', 'better'), {
    code: 0,
    stderr: 'was is what it was at version 1: at 03:00.\n',
  })
  t.match(await ask('revert', 'was', '--to', '9'), { code: 2, stderr: /\/version must be below 4/ })
  const dry = await ask('dry-run', 'was', '--as-of', '2030-01-01T00:00:00Z')
  t.match(dry.stdout, /^priority  +3$/m)
  t.match(dry.stdout, /^due_at  +2030-01-01T00:00:00.000Z$/m)
  t.match(dry.stderr, /switched off[\s\S]*no instant of it/)
  t.equal((await sql`select 1 from rowbeat.runs where schedule = 'was'`).length, 0)
  for (const name of ['x1', 'x2', 'x3'])
    await ask('create', name, 'demo.echo', '--cron', '0 12 * * *', '--start', '2098-12-31T00:00:00Z')
  const ahead = await ask('timeline', '--from', '2099-01-01T00:00:00Z', '--hours', '24')
  t.match(ahead.stdout, /^2099-01-01T10:00:00.000Z  1 +x1 +at 12:00$/m)
  t.match(
    ahead.stderr,
    /^3 are due at once at 2099-01-01T10:00:00.000Z: x., x., x.\. A jitter of 60 s would part them\.$/m,
  )
  t.match(await ask('timeline', '--from', '2099-01-01T00:00:00Z', '--hours', '1', '--json'), { code: 0 })
})

t.test('orphans are those of code that is not here; revert and delete say whose they are', async (t) => {
  const cwd = folder(t)
  const { url: own, sql: db } = await setup(t)
  const code = join(cwd, 'tasks.mjs')
  const index = new URL('../../src/index.ts', import.meta.url).href
  writeFileSync(
    code,
    `import { every, schedule, task } from '${index}'
export const echo = task('own.echo', {}, (input) => input)
export const kept = schedule('kept', every('1 hour'), echo)
export const dropped = schedule('dropped', every('2 hours'), echo, { a: 1 }, { queue: 'high' })`,
  )
  const options = { cwd, env: { DATABASE_URL: own, ROWBEAT_TASKS: 'tasks.mjs' } }
  // The module changes under it: each call has to import it anew.
  const here = (...words: string[]): Promise<Said> => rowbeatAlone(t, ['schedules', ...words], options)
  const beat = startRowbeat(t, ['beat', '--json'], options)
  await beat.line(/"schedules"/, 30_000)
  beat.kill('SIGTERM')
  await beat.ended(30_000)
  await db`insert into rowbeat.tasks (name) values ('own.echo') on conflict do nothing`
  t.match(await here('orphans'), { code: 0, stdout: '', stderr: /^None:/ })

  t.match(await here('edit', 'dropped', '--queue', 'low'), {
    code: 0,
    stderr: /the code that declared it leaves it alone/,
  })
  t.match(await here('revert', 'dropped'), {
    code: 0,
    stderr: 'dropped is what its code declares: every 2 hours.\n',
  })
  t.match(JSON.parse((await here('show', 'dropped', '--json')).stdout), {
    queue: 'high',
    edited_at: null,
    origin: 'code',
  })
  writeFileSync(code, readFileSync(code, 'utf8').replace(/^export const dropped.*$/m, ''))
  const orphans = await here('orphans')
  t.match(orphans.stdout, /^dropped  own\.echo  every 2 hours/m)
  t.equal(JSON.parse((await here('orphans', '--json')).stdout).items.length, 1)
  t.match(await here('delete', 'dropped'), {
    code: 0,
    stderr: /a beat that starts with that code makes it again/,
  })
  t.match(await here('revert', 'dropped'), { code: 1 })
})
