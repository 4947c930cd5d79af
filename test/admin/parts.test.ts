/** The parts of the panel that need no browser: words, figures, schemas, keys, streams, and how a record becomes flat and back. */
import t from 'tap'
import { chooseLanguage, findText } from '../../admin/locale/texts.ts'
import { changesOf, fromFlat, toFlat } from '../../admin/resources/flat.ts'
import { changesBetween, placeOf } from '../../admin/ui/audit/diff.ts'
import { createChords } from '../../admin/ui/frame/chords.ts'
import { findOffers } from '../../admin/ui/frame/finding.ts'
import { bytesText, countText, durationText, relativeText } from '../../admin/ui/kit/figures.ts'
import { createFrameReader } from '../../admin/ui/kit/frames.ts'
import { areaOf, pathOf, scaleTo } from '../../admin/ui/kit/scale.ts'
import { fieldsOf, freshValue, pointerTo, readNumber, withField } from '../../admin/ui/kit/schema.ts'

t.test('a text has its values, its form by number, and English where a language lacks it', async (t) => {
  const english = { jobs: { left: '{count} left of {all}', left_one: 'one left of {all}', hi: 'Hi' } }
  const polish = { jobs: { left_one: 'jedno', left_few: '{count} zadania', left_many: '{count} zadań' } }
  const say = (key: string, values = {}, tag = 'pl') => findText([polish, english], key, tag, values)
  t.equal(findText([english], 'jobs.left', 'en', { count: 3, all: 9 }), '3 left of 9')
  t.equal(findText([english], 'jobs.left', 'en', { count: 1, all: 9 }), 'one left of 9')
  t.equal(findText([english], 'jobs.left', 'de', { count: 12_345, all: 12_345 }), '12.345 left of 12345')
  t.equal(say('jobs.left', { count: 3 }), '3 zadania')
  t.equal(say('jobs.left', { count: 5 }), '5 zadań')
  t.equal(say('jobs.hi'), 'Hi')
  t.equal(say('jobs.nothing'), 'jobs.nothing')
  t.equal(
    findText([english], 'jobs.left', 'en', { all: '{count}' }),
    '{count} left of {count}',
    'a value is no template',
  )
})

t.test('the language is the nearest to what the reader wishes', async (t) => {
  t.equal(chooseLanguage(['de-CH', 'en']), 'de')
  t.equal(chooseLanguage(['uk-UA']), 'ua')
  t.equal(chooseLanguage(['pt']), 'pt-BR')
  t.equal(chooseLanguage(['zh-Hans-CN']), 'zh-CN')
  t.equal(chooseLanguage(['tlh', 'xx']), 'en')
})

t.test('figures are short', async (t) => {
  t.strictSame(
    [0, 0.0004, 0.45, 1.254, 12.34, 59.999, 200, 7500, 360_000, -5].map((one) => durationText(one)),
    ['0 s', '0 s', '450 ms', '1.25 s', '12.3 s', '1 min', '3 min 20 s', '2 h 5 min', '4 d 4 h', '-5 s'],
  )
  t.strictSame(
    ['de', 'pl', 'uk', 'ja', 'zh-CN'].map((language) => [
      durationText(1.25, language),
      durationText(7500, language),
    ]),
    [
      ['1,25 s', '2 h 5 min'],
      ['1,25 s', '2 h 5 min'],
      ['1,25 с', '2 год 5 хв'],
      ['1.25 秒', '2 時間 5 分'],
      ['1.25秒', '2小时 5分钟'],
    ],
    'in the language of the viewer',
  )
  t.equal(relativeText(0, 180_000, 'en'), '3 minutes ago')
  t.equal(relativeText(86_400_000, 0, 'en'), 'tomorrow')
  t.equal(countText(12_345, 'en'), '12,345')
  t.equal(countText(1_000_000, 'en', true), '1M+')
  t.equal(bytesText(123_456_789), '123.5 MB')
})

t.test('an axis ends at a round number at or above the largest', async (t) => {
  t.strictSame(scaleTo(0), { max: 1, ticks: [0, 1] })
  t.strictSame(scaleTo(10).ticks, [0, 2.5, 5, 7.5, 10])
  for (const largest of [0.003, 1, 7, 99, 101, 1234.5, 1e9]) {
    const { max, ticks } = scaleTo(largest)
    t.ok(max >= largest && max <= largest * 2 && ticks.length <= 6, `${largest}: ${ticks.join(' ')}`)
  }
  const frame = { fromMs: 0, untilMs: 10, max: 10, width: 100, height: 50 }
  t.equal(
    pathOf(
      [
        [0, 0],
        [5, 10],
        [7, null],
        [10, 5],
      ],
      frame,
    ),
    'M0 50L50 0M100 25',
  )
  t.equal(
    areaOf(
      [
        [0, 0],
        [10, 10],
      ],
      frame,
    ),
    'M0 50L0 50L100 0L100 50Z',
  )
})

t.test('a schema asks for a form', async (t) => {
  const schema = {
    type: 'object',
    required: ['x'],
    properties: {
      x: { type: 'integer', title: 'How many' },
      who: { $ref: '#/$defs/who' },
      on: { anyOf: [{ type: 'boolean' }, { type: 'null' }] },
      kind: { enum: ['a', 'b'], default: 'b' },
      many: { type: 'array', items: { type: 'string' } },
      odd: { anyOf: [{ type: 'string' }, { type: 'number' }] },
      loop: { $ref: '#/$defs/loop' },
    },
    $defs: {
      loop: { type: 'object', properties: { again: { $ref: '#/$defs/loop' } } },
      who: { type: 'object', properties: { name: { type: ['string', 'null'] } } },
    },
  }
  const fields = fieldsOf(schema)!
  const told = fields.map(({ name, kind, isRequired, isNullable }) => [name, kind, isRequired, isNullable])
  t.strictSame(told, [
    ['x', 'number', true, false],
    ['who', 'object', false, false],
    ['on', 'switch', false, true],
    ['kind', 'choice', false, false],
    ['many', 'list', false, false],
    ['odd', 'json', false, false],
    ['loop', 'object', false, false],
  ])
  t.match(fields[0], { label: 'How many', isWhole: true })
  t.match(fields[1]!.fields, [{ name: 'name', kind: 'text', isNullable: true }])
  t.strictSame(freshValue(schema), { kind: 'b' })
  for (const none of [
    null,
    true,
    {},
    { type: 'string' },
    { $ref: 'https://elsewhere' },
    { $ref: '#/__proto__' },
  ])
    t.equal(fieldsOf(none), null, JSON.stringify(none))
})

t.test('a field is set in its place, and taken out', async (t) => {
  t.strictSame(Object.keys(withField({ a: 1, b: 2 }, 'a', 3)), ['a', 'b'])
  t.strictSame(withField({ a: 1, b: 2 }, 'a', undefined), { b: 2 })
  t.strictSame(withField(undefined, 'a', 1), { a: 1 })
  t.equal(pointerTo('/input', 'a/b~c'), '/input/a~1b~0c')
  t.strictSame(['', '1.5', 'x'].map(readNumber), [undefined, 1.5, 'x'])
})

t.test('keys: one, held, and one after another; never while typing', async (t) => {
  const chords = createChords({ '/': 'find', 'ctrl+k': 'find', 'g r': 'runs' })
  const press = (key: string, atMs: number, more = {}) =>
    chords.press({ key, atMs, held: false, other: false, typing: false, ...more })
  t.equal(press('/', 0), 'find')
  t.equal(press('/', 0, { typing: true }), null)
  t.equal(press('k', 0, { held: true, typing: true }), 'find')
  t.equal(press('g', 10), null)
  t.equal(press('r', 20), 'runs')
  t.equal(press('r', 30), null)
  press('g', 100)
  t.equal(press('r', 5000), null, 'too late')
  press('g', 6000)
  t.equal(press('r', 6010, { typing: true }), null)
  t.equal(press('r', 6020), null)
})

t.test('the palette finds pages by letters, runs by id, and searches', async (t) => {
  const pages = [
    { path: '/resources/runs', words: 'Runs' },
    { path: '/resources/queues', words: 'Queues' },
  ]
  const find = (typed: string, may = { runs: true, schedules: true }) =>
    findOffers(typed, pages, may).map(({ kind, path }) => `${kind} ${path}`)
  t.strictSame(find(''), ['page /resources/runs', 'page /resources/queues'])
  t.strictSame(find('qe')[0], 'page /resources/queues')
  const id = '01890000-0000-7000-8000-000000000001'
  t.equal(find(id)[0], `run /resources/runs/records/${id}/show`)
  t.strictSame(find('a&b?'), ['runs /resources/runs?q=a%26b%3F', 'schedules /resources/schedules?q=a%26b%3F'])
  t.strictSame(find('zzz', { runs: false, schedules: false }), [])
})

t.test('events come out of a stream whole, however it is cut', async (t) => {
  const text = ': ping\n\nevent: runs\nid: 7\ndata: {"a":\ndata: 1}\n\ndata: x\r\n\r\n'
  for (const size of [1, 3, 1000]) {
    const reader = createFrameReader()
    const frames = []
    for (let at = 0; at < text.length; at += size) frames.push(...reader.read(text.slice(at, at + size)))
    t.strictSame(
      frames,
      [
        { event: 'runs', data: '{"a":\n1}', id: '7' },
        { event: 'message', data: 'x', id: null },
      ],
      `pieces of ${size}`,
    )
  }
})

t.test('the audit log tells what is other, and where it is', async (t) => {
  t.strictSame(changesBetween({ a: 1, b: 'x', c: [1] }, { a: 2, b: 'x', d: null }), [
    { field: 'a', before: '1', after: '2' },
    { field: 'c', before: '[1]', after: undefined },
    { field: 'd', before: undefined, after: 'null' },
  ])
  t.equal(placeOf('queue', 'a/b'), '/resources/queues/records/a%2Fb/show')
  t.equal(placeOf('constructor', 'x'), null)
})

t.test('a record is flat and back, and only what may be written is taken', async (t) => {
  const fields = [
    { name: 'id', type: 'uuid' },
    { name: 'size', type: 'number', write: 'both' },
    { name: 'on', type: 'boolean', write: 'edit' },
    { name: 'tags', type: 'json', write: 'both' },
    { name: 'total', type: 'number' },
  ] as const
  t.strictSame(toFlat(fields, { id: 'a', size: 1, tags: [1], other: 2 }), {
    id: 'a',
    size: 1,
    on: null,
    tags: '[\n  1\n]',
    total: null,
  })
  const sent = { id: 'b', size: '2', on: 'true', tags: '["x"]', total: '9' }
  t.strictSame(fromFlat(fields, sent, 'edit').values, { size: 2, on: true, tags: ['x'] })
  t.strictSame(fromFlat(fields, sent, 'new').values, { size: 2, tags: ['x'] })
  t.strictSame(fromFlat(fields, { 'tags.0': 'x', 'tags.1.deep': 1 }, 'new').values, {
    tags: ['x', { deep: 1 }],
  })
  t.strictSame(
    fromFlat(fields, { tags: '[', on: 'maybe' }, 'edit').faults.map(({ pointer }) => pointer),
    ['/on', '/tags'],
  )
  fromFlat(fields, JSON.parse('{"tags.__proto__.polluted":"yes"}'), 'edit')
  t.equal(({} as Record<string, unknown>).polluted, undefined)
  t.strictSame(changesOf({ size: '', tags: { b: 1, a: 2 } }, { size: null, tags: { a: 2, b: 1 } }), {})
})
