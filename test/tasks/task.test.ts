/** A task is a value: what makes one, what is refused, and how two of a name are told apart. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { discoverTasks } from '../../src/queue/discover.ts'
import { createRegistry } from '../../src/tasks/registry.ts'
import { Discard, Retry, Snooze } from '../../src/tasks/signals.ts'
import { attemptsOf, isTask, task } from '../../src/tasks/task.ts'
import { ROOT } from '../helpers/process.ts'

const handler = (): null => null

t.test('a task is a frozen value whose handler is the function it was given', (t) => {
  const options = { queue: 'high', priority: -5, timeLimit: '30s' } as const
  const add = task('demo.add', options, handler)
  t.match(add, { name: 'demo.add', options, input: null, handler })
  t.ok(isTask(add) && Object.isFrozen(add) && Object.isFrozen(add.options))
  t.notOk(isTask(handler) || isTask(null) || isTask({ name: 'x' }))
  t.end()
})

t.test('names: letters, digits, _ . - after a letter or _, 90 at most', (t) => {
  for (const name of [
    'a',
    '_x',
    'orders.send_order-confirmation',
    'constructor',
    '__proto__',
    'toString',
    'x'.repeat(90),
  ])
    t.equal(task(name, {}, handler).name, name)
  for (const name of [
    '',
    ' a',
    '1a',
    '-a',
    'a:b',
    'a b',
    'a/b',
    '../../x',
    'a\n',
    'ключ',
    'x'.repeat(91),
    undefined,
    null,
    5,
  ])
    t.throws(
      () => task(name as string, {}, handler),
      { name: 'DefinitionError', code: 'RB_TASK_INVALID', message: /the name must match/ },
      String(name),
    )
  t.end()
})

const WRONG: [Record<string, unknown>, RegExp][] = [
  [{ queu: 'high' }, /"queu" is no option of a task; known are input, queue, /],
  [{ queue: 'High' }, /the queue must match/],
  [{ queue: 'x'.repeat(33) }, /the queue must match/],
  [{ priority: 32_768 }, /the priority must be a whole number/],
  [{ priority: -32_769 }, /the priority must be a whole number/],
  [{ priority: 0.5 }, /the priority must be a whole number/],
  [{ attemptsMax: 0 }, /attemptsMax must be a whole number from 1/],
  [{ attemptsMax: 2.5 }, /attemptsMax must be/],
  [{ attemptsMax: '3' }, /attemptsMax must be/],
  [{ timeLimit: '5 minuts' }, /timeLimit must be a duration/],
  [{ softTimeLimit: -1 }, /softTimeLimit must be a duration/],
  [{ retention: 'for ever' }, /retention must be a duration/],
  [{ timeLimit: '5s', softTimeLimit: '6s' }, /softTimeLimit must not be longer than timeLimit/],
  [{ retry: 5 }, /retry must be an object/],
  [{ retry: { attempts: 3 } }, /retry has "attempts", which is no part of a retry policy/],
  [{ retry: { backoff: 'fibonacci' } }, /retry backoff must be constant, linear, exponential/],
  [{ retry: { backoff: [] } }, /retry backoff must be/],
  [{ retry: { backoff: ['1s', 'soon'] } }, /retry backoff must be/],
  [{ retry: { base: 'soon' } }, /retry base must be a duration/],
  [{ retry: { cap: -1 } }, /retry cap must be a duration/],
  [{ retry: { jitter: 'yes' } }, /retry jitter must be true or false/],
  [{ retry: { when: 'always' } }, /retry when must be a function/],
]
t.test('an option that is wrong is refused by name, and so is what is no handler', (t) => {
  for (const [options, message] of WRONG)
    t.throws(
      () => task('x', options as object, handler),
      { code: 'RB_TASK_INVALID', message },
      JSON.stringify(options),
    )
  t.throws(() => task('x', {}, undefined as never), { message: /third argument must be its handler/ })
  t.throws(() => task('x', handler as never, undefined as never), {
    message: /third argument must be its handler/,
  })
  t.doesNotThrow(() => task('x', { priority: -32_768, attemptsMax: 1_000_000 }, handler))
  t.doesNotThrow(() => task('x', { priority: 32_767, timeLimit: '5s', softTimeLimit: '5s' }, handler))
  t.end()
})

t.test('tries in all: 1, 5 with a retry policy, or what the task says of this input', (t) => {
  t.equal(attemptsOf({}, {}), 1)
  t.equal(attemptsOf({ retry: {} }, {}), 5)
  t.equal(attemptsOf({ retry: {}, attemptsMax: 2 }, {}), 2)
  const byInput = { attemptsMax: (input: { times: number }) => input.times + 1 }
  t.equal(attemptsOf(byInput, { times: 3 }), 4)
  for (const times of [-5, Number.NaN, 'x', undefined])
    t.ok(attemptsOf(byInput, { times }) >= 1, String(times))
  t.end()
})

t.test(
  'a registry takes tasks as values, arrays and objects of them, nested; two of one name are refused',
  (t) => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => task(name, {}, handler))
    t.strictSame([...createRegistry([a!, { b: b!, more: [{ c: c! }, a!] }]).keys()], ['a', 'b', 'c'])
    t.equal(createRegistry(undefined).size, 0)
    t.throws(() => createRegistry([a!, task('a', {}, handler)]), {
      code: 'RB_TASK_DUPLICATE',
      message: 'two tasks are named "a": rename one of them.',
    })
    t.throws(() => createRegistry([a!, handler as never]), {
      code: 'RB_TASK_INVALID',
      message: /is not a task; make it with task\(/,
    })
    t.throws(() => createRegistry({ a: 'a' } as never), { code: 'RB_TASK_INVALID' })
    t.end()
  },
)

t.test('tasks are found by glob: every export that is one, or an array of them', async (t) => {
  const cwd = t.testdir({ tasks: { deep: {} }, src: { shop: {} }, node_modules: { x: {} } })
  const index = pathToFileURL(join(ROOT, 'src/index.ts')).href
  const write = (path: string, code: string): void =>
    writeFileSync(join(cwd, path), `import { task } from '${index}'\n${code}`)
  write(
    'tasks/one.ts',
    `export const a = task('a', {}, () => 1); export const other = 5; export default task('b', {}, () => 2)`,
  )
  write('tasks/deep/two.mjs', `export const many = [task('c', {}, () => 3), 'no task']`)
  write('src/shop/tasks.js', `export * from '../../tasks/one.ts'`)
  write('node_modules/x/tasks.js', `export const never = task('never', {}, () => 0)`)
  const globs = ['tasks/**/*.{ts,mjs}', '**/tasks.js', 'nothing/*.ts']
  t.strictSame((await discoverTasks(globs, cwd)).map((found) => found.name).sort(), ['a', 'b', 'c'])
  write('tasks/three.ts', `export const again = task('a', {}, () => 9)`)
  await t.rejects(discoverTasks(['tasks/**/*.ts'], cwd), { code: 'RB_TASK_DUPLICATE' })
})

t.test('what a handler throws to say what is next carries its delay', (t) => {
  t.match(new Retry({ in: '5s', message: 'busy' }), { name: 'Retry', delayMs: 5000, message: 'busy' })
  t.match(new Retry(), { delayMs: null })
  t.match(new Snooze('1 minute'), { name: 'Snooze', delayMs: 60_000 })
  t.match(new Discard('no address', { cause: 'x' }), { name: 'Discard', message: 'no address', cause: 'x' })
  t.throws(() => new Snooze('soon' as never), { code: 'RB_CONFIG_INVALID', message: /^Snooze is "soon"/ })
  t.throws(() => new Retry({ in: 'soon' as never }), { message: /^Retry in is "soon"/ })
  t.end()
})
