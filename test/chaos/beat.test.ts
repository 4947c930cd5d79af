/** Beats that are killed and frozen, their PostgreSQL restarted, their schedules edited under way: short forms of `npm run torture`. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'
import { editUnderWay } from '../torture/beat-edits.ts'
import { harmBeats } from '../torture/beats.ts'
import { isClean, seeded, toLine, type Tally, type Torture } from '../torture/scenario.ts'

t.setTimeout(120_000)
t.jobs = 2

const shortForms: [says: string, count: number, run: (torture: Torture) => Promise<Tally>][] = [
  [
    'three beats for 20 s, one killed or frozen each 2 s, PostgreSQL restarted: no instant is missed, none fires twice',
    6,
    (torture) =>
      harmBeats(torture, { schedules: 200, calmMs: 6000, afterMs: 2000, everyMs: 2000, restarts: 1 }),
  ],
  [
    'two sessions edit a schedule 50 times a second each, then delete it: no lost update, no firing after',
    5,
    (torture) => editUnderWay(torture),
  ],
]
for (const [says, count, run] of shortForms) {
  t.test(says, { buffered: true }, async (t) => {
    const tally = await run({
      world: await setup(t),
      count,
      random: seeded(7),
      teardown: (handler) => t.teardown(handler as () => void),
      log: (line) => t.comment(line),
    })
    t.ok(isClean(tally), toLine(tally))
  })
}
