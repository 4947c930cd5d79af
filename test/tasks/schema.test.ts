/** Schemas: Standard Schema and JSON Schema answer the same way, with a pointer for each fault. */
import { Type } from 'typebox'
import * as v from 'valibot'
import t from 'tap'
import { z } from 'zod'
import { compileSchema } from '../../src/tasks/schema.ts'
import { task } from '../../src/tasks/task.ts'

const SAME = {
  zod: z.object({ id: z.number(), rows: z.array(z.object({ 'a/b': z.string() })) }),
  valibot: v.object({ id: v.number(), rows: v.array(v.object({ 'a/b': v.string() })) }),
  typebox: Type.Object({ id: Type.Number(), rows: Type.Array(Type.Object({ 'a/b': Type.String() })) }),
  'JSON Schema': {
    type: 'object',
    properties: {
      id: { type: 'number' },
      rows: {
        type: 'array',
        items: { type: 'object', properties: { 'a/b': { type: 'string' } }, required: ['a/b'] },
      },
    },
    required: ['id', 'rows'],
  },
}
for (const [kind, schema] of Object.entries(SAME)) {
  t.test(`${kind}: what fits passes, and every fault has its pointer`, async (t) => {
    const { check } = compileSchema(schema, 'x')
    t.strictSame(await check({ id: 1, rows: [{ 'a/b': 'x' }] }), { value: { id: 1, rows: [{ 'a/b': 'x' }] } })
    const refused = await check({ id: '1', rows: [{ 'a/b': 'x' }, { 'a/b': 5 }] })
    if (!('faults' in refused)) return t.fail('must be refused')
    t.strictSame(refused.faults.map((fault) => fault.pointer).sort(), ['/input/id', '/input/rows/1/a~1b'])
    t.ok(refused.faults.every((fault) => fault.detail.length > 3))
    const missing = await check({ id: 1 })
    t.match(missing, { faults: [{ pointer: '/input/rows' }] })
    for (const value of [null, 5, 'x', []]) t.ok('faults' in (await check(value)), JSON.stringify(value))
  })
}

t.test('a schema may change the value, and may take its time', async (t) => {
  const changing = compileSchema(z.object({ note: z.string().default('-'), n: z.coerce.number() }), 'x')
  t.strictSame(await changing.check({ n: '5' }), { value: { note: '-', n: 5 } })
  const slow = compileSchema(
    z.object({ id: z.number() }).refine(async ({ id }) => id > 3, { error: 'too small', path: ['id'] }),
    'x',
  )
  t.strictSame(await slow.check({ id: 5 }), { value: { id: 5 } })
  t.strictSame(await slow.check({ id: 1 }), { faults: [{ pointer: '/input/id', detail: 'too small' }] })
})

t.test('a JSON Schema checks formats, and one that does not compile is refused at once', async (t) => {
  const { check } = compileSchema({ type: 'string', format: 'email' }, 'x')
  t.ok('value' in (await check('ada@example.net')))
  t.ok('faults' in (await check('ada')))
  t.throws(() => task('t.broken', { input: { type: 'objekt' } }, () => 1), {
    code: 'RB_TASK_INVALID',
    message: /^task t.broken: its JSON Schema does not compile/,
  })
  t.doesNotThrow(() => compileSchema({ $id: 'same', type: 'object' }, 'x'))
  t.doesNotThrow(
    () => compileSchema({ $id: 'same', type: 'string' }, 'x'),
    'each task has its own world of $id',
  )
})

t.test('what can be told as JSON Schema is kept for forms; what cannot is null', (t) => {
  t.match(compileSchema(SAME.zod, 'x').jsonSchema, { type: 'object', required: ['id', 'rows'] })
  t.match(compileSchema(SAME.typebox, 'x').jsonSchema, { type: 'object' })
  t.equal(
    compileSchema(
      z.custom(() => true),
      'x',
    ).jsonSchema,
    null,
  )
  t.end()
})

t.test('a schema cannot be used to reach the prototype of anything', async (t) => {
  const { check } = compileSchema(SAME['JSON Schema'], 'x')
  await check(
    JSON.parse(
      '{"id": 1, "rows": [], "__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": 1}}}',
    ),
  )
  t.notOk('polluted' in {})
})
