/** Workers that are cut off, by their server, their network or the operating system: short forms of `npm run torture`. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { connectionCuts } from '../torture/connection-cuts.ts'
import { freeze, freezeWorkers } from '../torture/freeze.ts'
import { halfOpen } from '../torture/half-open.ts'
import { restarts } from '../torture/restarts.ts'
import { isClean, seeded, toLine, type Scenario } from '../torture/scenario.ts'

t.setTimeout(120_000)
t.jobs = 4

const shortForms: [Scenario, count: number][] = [
  [connectionCuts, 20],
  [{ ...freeze, run: (torture) => freezeWorkers(torture, 15_000) }, 1],
  [halfOpen, 1],
  [restarts, 2],
]
for (const [scenario, count] of shortForms) {
  t.test(scenario.says, { buffered: true }, async (t) => {
    const tally = await scenario.run({
      world: await setup(t),
      count,
      random: seeded(7),
      teardown: (handler) => t.teardown(handler as () => void),
      log: (line) => t.comment(line),
    })
    t.ok(isClean(tally), toLine(tally))
  })
}
