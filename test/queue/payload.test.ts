/**
 * The payload matrix through TypeScript: every poisonous value as input, tag, header, unique key, queue and task name is
 * refused with its place, or comes back exactly as it went in, from the queue and from the handler's hands.
 */
import fc from 'fast-check'
import t from 'tap'
import { createRowbeat, createWorker, task } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

const { url, sql } = await setup(t)
const echo = task('p.echo', {}, (input: unknown) => input)
const rowbeat = createRowbeat({ databaseUrl: url, tasks: [echo] })
t.teardown(() => rowbeat.close())

const nested = (depth: number): unknown => {
  let value: unknown = null
  for (let i = 0; i < depth; i++) value = [value]
  return value
}
const cycle: unknown[] = []
cycle.push({ cycle })

const REFUSED: [string, unknown, string, string?][] = [
  ['U+0000', { x: 'x\u0000y' }, '/input/x'],
  ['U+0000 in a key', { 'x\u0000': 1 }, '/input/x\u0000'],
  ['a lone surrogate', ['\ud83d'], '/input/0'],
  ['a BigInt', { n: 2n ** 53n + 1n }, '/input/n'],
  ['a Map', { m: new Map() }, '/input/m'],
  ['a function', { f: () => 1 }, '/input/f'],
  ['NaN', { n: Number.NaN }, '/input/n'],
  ['undefined in a list', [undefined], '/input/0'],
  ['a cycle', cycle, '/input/0/cycle'],
  ['65 levels', nested(65), `/input${'/0'.repeat(64)}`],
  ['5,000 levels', nested(5000), `/input${'/0'.repeat(64)}`],
  ['20,000 levels', nested(20_000), `/input${'/0'.repeat(64)}`],
  ['more than 1 MiB', 'x'.repeat(1_048_575), '/input', 'RB_INPUT_TOO_LARGE'],
  ['16 MiB', { x: 'x'.repeat(16_777_216) }, '/input', 'RB_INPUT_TOO_LARGE'],
  ['a promise', Promise.resolve(1), '/input'],
]
t.test(
  'what cannot be stored is refused with a pointer, however it is enqueued, and nothing is written',
  async (t) => {
    for (const [name, value, pointer, code = 'RB_INPUT_INVALID'] of REFUSED) {
      const refusal = { name: 'EnqueueError', code, faults: [{ pointer }] }
      await t.rejects(rowbeat.enqueue(echo, value), refusal, name)
      await t.rejects(rowbeat.enqueue('p.by-name', value), refusal, name)
      await t.rejects(
        sql.begin((tx) => rowbeat.in(tx).enqueue(echo, value)),
        refusal,
        name,
      )
      const many = rowbeat.enqueueMany([
        { task: echo, input: 1 },
        { task: echo, input: value },
      ])
      await t.rejects(
        many,
        { code, message: /^runs\[1\]: input of p.echo is refused/, faults: [{ pointer: `/1${pointer}` }] },
        name,
      )
    }
    t.equal((await sql`select from rowbeat.runs`).length, 0)
  },
)

const KEPT: [string, unknown][] = [
  ['nothing in particular', {}],
  ['null', null],
  ['a text', 'text'],
  ['a number', -0.5],
  ['a list', [1, [2, [3]]]],
  ['false', false],
  [
    'keys that name the prototype',
    JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}'),
  ],
  ['64 levels', nested(64)],
  [
    'markup',
    {
      html: '</script><img src=x onerror=alert(1)>',
      sql: `'; drop table rowbeat.results; --`,
      dollar: '$$ $1 :name ?',
    },
  ],
  ['escapes', { text: '\\u0000 \\\\ \\" \n\r\t\b\f \u2028\u2029 \u007f \u0001' }],
  ['every plane of Unicode', '\ufffe \uffff \u{1f469}\u200d\u{1f467} \u{10ffff} e\u0301 \u202e'],
  [
    'the ends of the numbers',
    [2 ** 53 - 1, -(2 ** 53 - 1), 1.7976931348623157e308, 5e-324, 0.1 + 0.2, 1e21, 1e-7],
  ],
  ['empty keys and odd ones', { '': 1, ' ': 2, 'a.b': 3, 'a/b~': 4, '0': 5, input: { input: 6 } }],
  ['20,000 keys', Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`key${n}`, n]))],
  ['almost 1 MiB', { x: 'я'.repeat(524_000) }],
  ['100,000 small numbers', Array.from({ length: 100_000 }, (_, n) => n % 10)],
]
t.test('what can be stored comes back exactly, from the queue and out of the handler', async (t) => {
  const runs = await Promise.all(KEPT.map(([, input]) => rowbeat.enqueue(echo, input)))
  for (const [n, [name, input]] of KEPT.entries()) {
    const run = await runs[n]!.get()
    t.ok(same(run?.input, input), `${name}: queued`)
  }
  const worker = createWorker({ databaseUrl: url, tasks: [echo] })
  await worker.start()
  for (const [n, [name, input]] of KEPT.entries()) {
    t.ok(same(await runs[n]!.result({ timeout: '20s' }), input), `${name}: echoed`)
    const run = await runs[n]!.get()
    t.ok(same(run?.input, input) && run?.state === 'SUCCESS', `${name}: finished`)
  }
  const json = fc.jsonValue({ stringUnit: 'binary', maxDepth: 5 })
  const samples = fc.sample(
    fc.oneof(json, fc.dictionary(fc.string({ unit: 'binary' }), json), fc.array(fc.double({ noNaN: true }))),
    300,
  )
  const settled = await Promise.allSettled(samples.map((input) => rowbeat.enqueue(echo, input)))
  let echoed = 0
  for (const [n, one] of settled.entries()) {
    const input = samples[n]
    if (one.status === 'rejected') {
      t.match(
        one.reason,
        { code: 'RB_INPUT_INVALID', faults: [{ pointer: /^\/input/ }] },
        JSON.stringify(input),
      )
    } else if (!same(await one.value.result({ timeout: '20s' }), input)) {
      t.fail(`changed on its way: ${JSON.stringify(input)}`)
    } else echoed++
  }
  t.ok(echoed > 100, `${echoed} of 300 were taken and came back`)
  await worker.stop()
  t.notOk('polluted' in {})
})

t.test('names take no poison: each is refused by field, odd but whole text is kept', async (t) => {
  const poison = ['\u0000', 'a\u0000b', '\ud800', 'a\udc00']
  for (const text of poison) {
    const fault = (pointer: string): { code: string; faults: object[] } => ({
      code: 'RB_OPTION_INVALID',
      faults: [{ pointer }],
    })
    await t.rejects(rowbeat.enqueue(echo, {}, { tags: [text] }), fault('/tags/0'))
    await t.rejects(rowbeat.enqueue(echo, {}, { uniqueKey: text }), fault('/unique_key'))
    await t.rejects(rowbeat.enqueue(echo, {}, { queue: text }), fault('/queue'))
    await t.rejects(rowbeat.enqueue(echo, {}, { headers: { [text]: 1 } }), fault(`/headers/${text}`))
    await t.rejects(rowbeat.enqueue(echo, {}, { headers: { a: [text] } }), fault('/headers/a/0'))
    await t.rejects(rowbeat.enqueue(`p.${text}`, {}), { code: 'RB_TASK_UNKNOWN' })
  }
  for (const name of ['../../x', 'a:b', '</script>', 'x'.repeat(91), ''])
    await t.rejects(rowbeat.enqueue(name), {
      code: 'RB_TASK_UNKNOWN',
      message: /cannot be the name of a task/,
    })
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    t.match(await (await rowbeat.enqueue(name)).get(), { task: name, input: {} })
  }
  const odd = [
    '</script><img onerror=x>',
    '👩‍👩‍👧',
    "'; drop table x; --",
    'a,b{c}"d"\\',
    '\u202e right',
    'x'.repeat(64),
  ]
  const uniqueKey = '👩'.repeat(512)
  const run = await (await rowbeat.enqueue(echo, {}, { tags: odd, headers: { odd }, uniqueKey })).get()
  t.match(run, { tags: odd, headers: { odd }, uniqueKey })
})

/** Equal as JSON is: -0 is 0, the order of keys is nobody's. */
function same(back: unknown, given: unknown): boolean {
  if (typeof given !== 'object' || given === null)
    return Object.is(back, given) || (given === 0 && back === 0)
  if (typeof back !== 'object' || back === null || Array.isArray(back) !== Array.isArray(given)) return false
  const keys = Object.keys(given)
  return (
    Object.keys(back).length === keys.length &&
    keys.every((key) => Object.hasOwn(back, key) && same((back as never)[key], (given as never)[key]))
  )
}
