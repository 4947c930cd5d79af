/**
 * Changes of the clock: cron's rule on every vector, and that a preview explains each answer that is not what a wall clock alone
 * would suggest.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import {
  createCrontabClock,
  previewCrontab,
  readCrontab,
  type CrontabSpec,
  type Preview,
} from '../../src/schedules/crontab.ts'
import { createZones, type Zones } from '../../src/schedules/zone.ts'

const vectors: {
  id: string
  spec: Record<string, string>
  timezone: string
  last_run_at: string
  wall_clock: string[]
  vixie_cron: string[]
}[] = JSON.parse(readFileSync(new URL('../fixtures/conformance/crontab_dst.json', import.meta.url), 'utf8'))

const zones = createZones()
const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

function read(fields: Record<string, string>, timezone = 'Europe/Kyiv'): CrontabSpec {
  const crontab = readCrontab({ ...fields, timezone }, '', 'UTC')
  if ('spec' in crontab) return crontab.spec
  throw new TypeError(JSON.stringify(crontab.faults))
}
const preview = (fields: Record<string, string>, after: string, count: number, timezone?: string): Preview =>
  previewCrontab(read(fields, timezone), zones, Date.parse(after), count)

t.test("round each change the runs are cron's, forward and back", (t) => {
  t.ok(vectors.length > 500)
  for (const { id, spec, timezone, last_run_at, vixie_cron } of vectors) {
    const clock = createCrontabClock(read(spec, timezone), zones)
    const words = `${id} ${JSON.stringify(spec)} ${timezone} after ${last_run_at}`
    const runs: number[] = []
    for (let at = Date.parse(last_run_at); runs.length < 3; runs.push(at)) at = clock.next(at)!
    t.strictSame(runs.map(iso), vixie_cron, words)
    const back: number[] = []
    for (let at = runs[2]! + 1; back.length < 3; back.unshift(at)) at = clock.previous(at)!
    t.strictSame(back, runs, `back: ${words}`)
  }
  t.end()
})

t.test('whatever is not as on a wall clock has a note, and a mark or a change that explains it', (t) => {
  let explained = 0
  for (const { id, spec, timezone, last_run_at, wall_clock, vixie_cron } of vectors) {
    if (JSON.stringify(wall_clock) === JSON.stringify(vixie_cron)) continue
    const { runs, changes, notes } = preview(spec, last_run_at, 3, timezone)
    const isMarked = runs.some(({ dst }) => dst !== null) || changes.length > 0
    t.ok(isMarked && notes.length > 0, `${id} ${JSON.stringify(spec)} ${timezone} after ${last_run_at}`)
    explained++
  }
  t.ok(explained > 100, `${explained}`)
  t.end()
})

t.test('a run in the hour that is skipped comes once, right after it', (t) => {
  t.strictSame(preview({ minute: '0,30', hour: '3' }, '2026-03-28T12:00:00Z', 2), {
    runs: [
      { at: Date.parse('2026-03-29T01:00:00Z'), local: '2026-03-29T04:00:00+03:00', dst: 'moved' },
      { at: Date.parse('2026-03-30T00:00:00Z'), local: '2026-03-30T03:00:00+03:00', dst: null },
    ],
    changes: [{ at: Date.parse('2026-03-29T01:00:00Z'), before: 7_200_000, after: 10_800_000 }],
    notes: [
      'On 2026-03-29 the clocks of Europe/Kyiv go forward from 03:00 to 04:00: 03:00 and 03:30 do not come and run once, at 04:00 instead.',
    ],
  })
  t.match(preview({ minute: '30', hour: '3' }, '2026-03-28T12:00:00Z', 1).notes, [
    /: 03:30 does not come and runs at 04:00 instead\.$/,
  ])
  t.match(preview({ minute: '*/15', hour: '3' }, '2026-03-28T12:00:00Z', 1), {
    runs: [{ local: '2026-03-30T03:00:00+03:00', dst: null }],
    notes: [/: 03:00, 03:15, 03:30 and 03:45 do not come and do not run\.$/],
  })
  t.end()
})

t.test('a run in the hour that comes twice is the first of it, or both if it follows the clock', (t) => {
  t.match(preview({ minute: '30', hour: '3' }, '2026-10-24T12:00:00Z', 1), {
    runs: [{ local: '2026-10-25T03:30:00+03:00', dst: 'first-only' }],
    changes: [{ at: Date.parse('2026-10-25T01:00:00Z'), before: 10_800_000, after: 7_200_000 }],
    notes: [
      'On 2026-10-25 the clocks of Europe/Kyiv go back from 04:00 to 03:00: 03:30 comes twice and runs the first time only.',
    ],
  })
  t.strictSame(
    preview({ minute: '30', hour: '*' }, '2026-10-25T00:00:00Z', 3).runs.map(({ local, dst }) => [
      local,
      dst,
    ]),
    [
      ['2026-10-25T03:30:00+03:00', 'first-of-two'],
      ['2026-10-25T03:30:00+02:00', 'second-of-two'],
      ['2026-10-25T04:30:00+02:00', null],
    ],
  )
  t.match(preview({}, '2026-10-25T00:30:00Z', 2).notes, [
    /: the 60 runs between 03:00 and 03:59 come twice and run both times\.$/,
  ])
  t.end()
})

t.test('the first pass is remembered by a preview that begins after it', (t) => {
  const { runs, changes, notes } = preview({ minute: '30', hour: '3' }, '2026-10-25T01:10:00Z', 1)
  t.match(runs, [{ local: '2026-10-26T03:30:00+02:00', dst: null }])
  t.equal(changes.length, 1)
  t.match(notes, [/runs the first time only/])
  t.end()
})

t.test('a change that meets no run is listed and needs no note; without a change there is neither', (t) => {
  t.match(preview({ minute: '0', hour: '12' }, '2026-03-28T12:00:00Z', 2), { changes: [{}], notes: [] })
  t.strictSame(preview({ minute: '0', hour: '12' }, '2026-03-28T12:00:00Z', 2, 'UTC').changes, [])
  t.match(preview({ minute: '0', hour: '1' }, '2026-06-01T00:00:00Z', 2, 'America/St_Johns'), {
    runs: [{ local: '2026-06-01T01:00:00-02:30' }, { local: '2026-06-02T01:00:00-02:30' }],
    changes: [],
  })
  t.end()
})

t.test('a day that an island skipped is one run at its end', (t) => {
  t.match(preview({ minute: '0', hour: '9' }, '2011-12-29T20:00:00Z', 2, 'Pacific/Apia'), {
    runs: [
      { local: '2011-12-31T00:00:00+14:00', dst: 'moved' },
      { local: '2011-12-31T09:00:00+14:00', dst: null },
    ],
    notes: [
      'On 2011-12-30 the clocks of Pacific/Apia go forward from 00:00 to 00:00 of 2011-12-31: 09:00 does not come and runs at 00:00 instead.',
    ],
  })
  t.end()
})

t.test('a yearly run that follows the clock comes twice in its hour, before it is sought next year', (t) => {
  const yearly = { minute: '*/30', hour: '3', day_of_month: '25-31', month_of_year: '10', day_of_week: 'sun' }
  const clock = createCrontabClock(read(yearly), zones)
  const runs = [
    '2026-10-25T00:00:00Z',
    '2026-10-25T00:30:00Z',
    '2026-10-25T01:00:00Z',
    '2026-10-25T01:30:00Z',
  ]
  const all = ['2025-10-26T01:30:00Z', ...runs, '2027-10-31T00:00:00Z']
  for (const [index, run] of all.slice(1).entries()) {
    t.equal(iso(clock.next(Date.parse(all[index]!))!), run)
    t.equal(iso(clock.previous(Date.parse(run))!), all[index])
  }
  t.end()
})

/** The same zones, with pieces cut into bits of 47 minutes. */
const cutZones: Zones = {
  ...zones,
  open(name) {
    const zone = zones.open(name)
    const bit = 47 * 60_000
    return {
      pieceAt(ms) {
        const { from, to, offset, reached } = zone.pieceAt(ms)
        const cut = Math.max(from, Math.floor(ms / bit) * bit)
        const end = Math.min(to, (Math.floor(ms / bit) + 1) * bit)
        return {
          from: cut,
          to: end,
          offset,
          reached: Math.max(reached, cut > from ? cut + offset - 1 : -Infinity),
        }
      },
    }
  },
}

t.test('where pieces of constant offset are cut makes no difference, right at a change neither', (t) => {
  for (const minute of ['*/10', '5,50']) {
    const spec = read({ minute, hour: '3', day_of_month: '25-31', month_of_year: '10', day_of_week: 'sun' })
    const [whole, cut] = [createCrontabClock(spec, zones), createCrontabClock(spec, cutZones)]
    for (
      let at = Date.parse('2026-10-24T22:00:00Z');
      at < Date.parse('2026-10-25T04:00:00Z');
      at += 7 * 60_000
    ) {
      t.equal(cut.next(at), whole.next(at), `${minute} after ${iso(at)}`)
      t.equal(cut.previous(at), whole.previous(at), `${minute} before ${iso(at)}`)
    }
  }
  t.end()
})
