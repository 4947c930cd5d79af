/** The short form of `npm run torture -- enqueue-kills`: an order and its run stand or fall together. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { enqueueKills } from '../torture/enqueue-kills.ts'
import { isClean, seeded, toLine } from '../torture/scenario.ts'

t.test('INSERT order + enqueue, killed 20 times at any point, leaves both or neither', async (t) => {
  const seed = Date.now() % 1_000_000
  const tally = await enqueueKills.run({
    world: await setup(t),
    count: 20,
    random: seeded(seed),
    teardown: (handler) => t.teardown(handler as () => void),
    log: (line) => t.comment(line),
  })
  t.ok(isClean(tally), `${toLine(tally)} seed=${seed}`)
  t.equal(tally.faults, 20)
  t.ok(tally.acked >= 20)
})
