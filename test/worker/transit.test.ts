/** What is on its way between a lane and the store is waited for, and what failed leaves a doubt. */
import t from 'tap'
import { createTransit } from '../../src/worker/transit.ts'
import { until } from '../helpers/wait.ts'

t.test('it is settled when every claim was answered and everything went back', async (t) => {
  const transit = createTransit(60_000)
  await transit.settled()
  t.equal(transit.ask(0), 0)
  await transit.settled()
  t.equal(transit.ask(8), 8)
  const back = Promise.withResolvers<void>()
  transit.follow(back.promise)
  let isSettled = false
  const settled = transit.settled().then(() => (isSettled = true))
  transit.answered()
  // Its own look comes every 2 ms.
  await new Promise((resolve) => setTimeout(resolve, 10))
  t.notOk(isSettled, 'something is still on its way back')
  back.resolve()
  await settled
  t.notOk(transit.isInDoubt())
})

t.test('what fails is settled too, and in doubt for a while', async (t) => {
  const transit = createTransit(50)
  transit.ask(1)
  transit.failed()
  t.ok(transit.isInDoubt())
  await until('the doubt is over', () => !transit.isInDoubt())
  transit.follow(Promise.reject(new Error('the connection is gone')))
  await transit.settled()
  t.ok(transit.isInDoubt())
})
