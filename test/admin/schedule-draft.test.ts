/** What is filled in of a schedule and what is sent of it; what differs; where marks lie on the timeline. */
import t from 'tap'
import { differences, valueText } from '../../admin/ui/schedules/diff.ts'
import {
  bodyOf,
  changesOf,
  draftOf,
  freshDraft,
  instantOf,
  localText,
  spanText,
  timingOf,
} from '../../admin/ui/schedules/draft.ts'
import { bandsOf, marksPath, ticksOf, windowOf } from '../../admin/ui/schedules/track.ts'
import { readDefinition } from '../../src/schedules/definition.ts'

t.test('a fresh form is a definition as soon as it has a name and a task', (t) => {
  const draft = { ...freshDraft('Europe/Kyiv'), name: 'n', task: 'demo.echo' }
  const { definition, faults } = readDefinition(bodyOf(draft), { zone: 'UTC' })
  t.strictSame(faults, [])
  t.match(definition, {
    name: 'n',
    enabled: true,
    schedule: { hour: '3', timezone: 'Europe/Kyiv' },
    queue: null,
  })
  t.end()
})

t.test(
  'each kind is sent with its own fields; what is no number stays text for the server to refuse',
  (t) => {
    const { timing } = freshDraft('UTC')
    t.strictSame(timingOf({ ...timing, kind: 'interval', every: '1.5e1' }), {
      kind: 'interval',
      every: 15,
      period: 'minutes',
    })
    t.match(timingOf({ ...timing, kind: 'interval', every: 'often' }), { every: 'often' })
    t.match(timingOf({ ...timing, kind: 'solar', latitude: '-1.5', longitude: '' }), {
      latitude: -1.5,
      longitude: null,
    })
    t.strictSame(timingOf({ ...timing, kind: 'clocked', at: '2030-01-01T00:00:00.123Z' }), {
      kind: 'clocked',
      at: '2030-01-01T00:00:00.123Z',
    })
    t.end()
  },
)

t.test('an edit sends what was touched and nothing else', (t) => {
  const { definition } = readDefinition(
    {
      name: 'n',
      task: 'demo.echo',
      input: { n: 1 },
      schedule: { kind: 'interval', every: 90, period: 'seconds' },
      expires: '90 minutes',
      tags: ['a', 'b'],
    },
    { zone: 'UTC' },
  )
  const start = draftOf({ ...definition, anchor_at: '2030-01-01T00:00:00.123Z' } as never, 'UTC')
  t.match(start, { expires: '90 minutes', tags: 'a, b', timing: { every: '90', period: 'seconds' } })
  t.strictSame(changesOf(start, start), {})
  t.strictSame(changesOf({ ...start, expires: '2 h', tags: '' }, start), { tags: [], expires: '2 h' })
  const other = { ...start, timing: { ...start.timing, kind: 'crontab' as const, hour: '5' } }
  t.match(changesOf(other, start), { schedule: { kind: 'crontab', hour: '5' } })
  t.end()
})

t.test('spans and instants read as people write them, and come back as they were', (t) => {
  t.strictSame([null, 45, 90, 3600, 172_800].map(spanText), ['', '45', '90', '1 hours', '2 days'])
  const at = '2030-06-01T12:34:56.000Z'
  t.equal(instantOf(localText(at)), at)
  t.equal(localText('nothing'), '')
  t.equal(instantOf(''), '')
  t.end()
})

t.test('differences go down to the value', (t) => {
  const before = { a: 1, schedule: { minute: '0', hour: '3' }, tags: ['a'], gone: null }
  const after = { a: 1, schedule: { minute: '5', hour: '3' }, tags: ['a', 'b'], input: { x: 1 } }
  t.strictSame(differences(before, after), [
    { path: 'schedule.minute', before: '0', after: '5' },
    { path: 'tags', before: ['a'], after: ['a', 'b'] },
    { path: 'gone', before: null, after: undefined },
    { path: 'input', before: undefined, after: { x: 1 } },
  ])
  t.strictSame([undefined, '', null, ['a']].map(valueText), ['–', '""', 'null', '["a"]'])
  t.end()
})

t.test('marks lie where their instants do; what is told as a number is spread', (t) => {
  const window = windowOf(Date.parse('2030-01-01T00:40:00Z'), 24)
  t.equal(new Date(window.from).toISOString(), '2030-01-01T00:00:00.000Z')
  t.equal(ticksOf(window).length, 8)
  t.equal(marksPath(['2030-01-01T12:00:00Z'], window), 'M500 4V20')
  const bands = bandsOf(
    [
      { count: 1, instants: ['2030-01-01T12:00:00Z'] },
      { count: 192, instants: ['2030-01-01T00:00:00Z'] },
    ],
    window,
  )
  t.strictSame([bands.length, bands[0], bands[48], bands[95]], [96, 2, 3, 2])
  t.end()
})
