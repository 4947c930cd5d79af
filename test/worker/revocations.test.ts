/** What a worker knows of revocations, and how little it asks for that. */
import t from 'tap'
import type { Queryable } from '../../src/db/handle.ts'
import { createEvents } from '../../src/worker/events.ts'
import type { ClaimedJob } from '../../src/worker/job.ts'
import { createRevocations } from '../../src/worker/revocations.ts'

const job = (key: string, created = '2026-01-31 12:00:00.123456+00'): ClaimedJob => ({
  id: '1',
  key,
  payload: { input: {} },
  priority: 0,
  attempts: 1,
  created_at: created,
  task_identifier: 'default:a.task',
})

/** A store with these rows, that notes what it is asked and answers when it is let. */
function storeOf() {
  const store = {
    rows: [] as string[],
    asked: [] as string[],
    fails: false,
    hold: null as Promise<void> | null,
    seen: 0,
    trouble: 0,
  }
  const db: Queryable = {
    async query(text) {
      store.asked.push(/\/\* (\w+) \*\//.exec(text)![1]!)
      const rows = store.rows.map((run) => ({
        run,
        terminate: false,
        reason: null,
        at: Date.UTC(2026, 0, 31, 13),
      }))
      await store.hold
      if (store.fails) throw new Error('no')
      return rows as never
    },
  }
  const events = createEvents()
  events.on('worker:trouble', () => store.trouble++)
  return { store, revocations: createRevocations(db, events, () => store.seen++) }
}

t.test('while nothing is revoked nothing is asked, whatever the heart says', async (t) => {
  const { store, revocations } = storeOf()
  for (let beat = 0; beat < 10; beat++) revocations.beat(false)
  t.strictSame(store.asked, [])
  t.equal(revocations.of(job('a')), undefined)
})

t.test('a heartbeat that finds some looks and settles, until there are none', async (t) => {
  const { store, revocations } = storeOf()
  store.rows = ['a']
  revocations.beat(true)
  await revocations.look()
  t.match(store.asked.splice(0), ['read_revocations', 'settle_revocations'])
  t.ok(revocations.of(job('a')))
  store.rows = []
  revocations.beat(false)
  await revocations.look()
  t.notOk(revocations.of(job('a')), 'its row has gone')
  store.asked.length = 0
  revocations.beat(false)
  t.strictSame(store.asked, [])
})

t.test('what is told of during a look is looked at again, once', async (t) => {
  const { store, revocations } = storeOf()
  let go = (): void => {}
  store.hold = new Promise((resolve) => (go = resolve))
  const looks = [revocations.look()]
  store.rows = ['a']
  looks.push(...Array.from({ length: 5 }, () => revocations.look()))
  t.equal(store.asked.length, 1)
  go()
  await Promise.all(looks)
  t.strictSame(store.asked, ['read_revocations', 'read_revocations'])
  t.ok(revocations.of(job('a')))
  t.equal(store.seen, 1)
})

t.test('it stands against runs that were made before it', async (t) => {
  const { store, revocations } = storeOf()
  store.rows = ['a']
  await revocations.look()
  t.ok(revocations.of(job('a', '2026-01-31 18:29:59.999+05:30')))
  t.notOk(revocations.of(job('a', '2026-01-31 18:30:00.001+05:30')), 'another run with its id')
})

t.test('a look that fails is told, keeps what was known, and is made again at the next beat', async (t) => {
  const { store, revocations } = storeOf()
  store.rows = ['a']
  await revocations.look()
  store.fails = true
  await revocations.look()
  t.equal(store.trouble, 1)
  t.ok(revocations.of(job('a')))
  store.fails = false
  store.rows = ['b']
  revocations.beat(true)
  await revocations.look()
  t.ok(revocations.of(job('b')))
  revocations.close()
  store.asked.length = 0
  await revocations.look()
  t.strictSame(store.asked, [], 'a worker that has stopped asks nothing')
})
