/** Queues as the application defines them: what a definition may say, and where definitions are found. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { defineQueue, QueueError, type QueueOptions } from '../../src/index.ts'
import { discoverModules } from '../../src/queue/discover.ts'
import { listQueues, type QueueTree } from '../../src/tasks/queue.ts'
import { describeQueue } from '../../src/worker/describe.ts'

t.test('a definition is a frozen value, and a row says the same', async (t) => {
  const mail = defineQueue('mail', { concurrency: 20, rate: ' 600/m ', burst: 10 })
  t.ok(Object.isFrozen(mail) && Object.isFrozen(mail.options))
  t.same(describeQueue(mail), { name: 'mail', concurrency: 20, rate: '600/m', rate_burst: 10 })
  t.same(describeQueue(defineQueue('plain')), {
    name: 'plain',
    concurrency: null,
    rate: null,
    rate_burst: null,
  })
  t.equal(describeQueue(defineQueue('slow', { rate: 0.5 })).rate, '0.5')
})

t.test('what cannot be is refused in words', async (t) => {
  const cases: [string, unknown, RegExp][] = [
    ['Mail', {}, /queue "Mail": the name must match/],
    ['mail', { slots: 3 }, /"slots" is no option of a queue; known are concurrency, rate, burst/],
    ['mail', { concurrency: 0 }, /concurrency must be a whole number from 1/],
    ['mail', { rate: '10/' }, /rate is "10\/"; give a number above 0 and a unit/],
    ['mail', { rate: '1/s', burst: 1.5 }, /burst must be a whole number/],
    ['mail', { burst: 2 }, /burst needs a rate/],
  ]
  for (const [name, options, message] of cases) {
    t.throws(() => defineQueue(name, options as QueueOptions), {
      constructor: QueueError,
      code: 'RB_QUEUE_INVALID',
      message,
    })
  }
})

t.test('a tree of definitions is a list of them, each name once', async (t) => {
  const [a, b] = [defineQueue('a'), defineQueue('b')]
  t.same(listQueues([a, { b, again: [a] }]), [a, b])
  t.same(listQueues(undefined), [])
  t.throws(() => listQueues([a, defineQueue('a', { concurrency: 1 })]), /"a" is defined twice/)
  t.throws(() => listQueues(['a'] as unknown as QueueTree), /a is none; make it with defineQueue/)
})

t.test('modules export them as they export tasks', async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'rowbeat-queues-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  const index = pathToFileURL('src/index.ts').href
  writeFileSync(
    join(cwd, 'tasks.mjs'),
    `import { defineQueue, task } from '${index}'
    export const mail = defineQueue('mail', { concurrency: 2 })
    export const more = [defineQueue('slow'), task('q.one', {}, () => 1)]`,
  )
  const { tasks, queues } = await discoverModules(['*.mjs'], cwd)
  t.same(
    queues.map(({ name }) => name),
    ['mail', 'slow'],
  )
  t.equal(tasks.length, 1)
})
