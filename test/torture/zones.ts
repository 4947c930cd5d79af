/**
 * Every zone there is, every change of its clock from 2020 to 2035, 25 crontabs: each run by the engine against a daemon simulated
 * minute by minute (test/schedules/oracle.ts). A zone that never changes is looked at once. In the line this ends with, acked
 * are the oracle's runs, each wanted from next() and from previous(); lost and unexpected are runs missing and runs too many;
 * stuck are answers that were thrown.
 */
import { createSubject } from '../schedules/oracle-subject.ts'
import { compareAround, emptyVerdict, JOBS, listChanges, standIn } from '../schedules/oracle.ts'
import { emptyTally, type Scenario } from './scenario.ts'

const FROM = Date.UTC(2020, 0, 1)
const TO = Date.UTC(2036, 0, 1)

export const zones: Scenario = {
  says: 'every time zone x every change of its clock 2020-2035 x 25 crontabs, against a daemon simulated minute by minute',
  count: Intl.supportedValuesOf('timeZone').length + 1,
  async run({ count, log }) {
    const names = ['UTC', ...Intl.supportedValuesOf('timeZone')].slice(0, count)
    const subject = createSubject()
    const verdict = emptyVerdict()
    let cases = 0
    let changes = 0
    for (const [index, zone] of names.entries()) {
      const found = listChanges(zone, FROM, TO)
      for (const change of found.length > 0 ? found : [standIn(zone)]) {
        compareAround(zone, change, subject, verdict)
        cases += JOBS.length
      }
      changes += found.length
      if (index % 50 === 49)
        log(`${index + 1} zones, ${changes} changes, ${cases} cases, ${verdict.asked} answers`)
    }
    if (verdict.example) log(verdict.example)
    const { runs, asked, missing, extra, throws } = verdict
    return {
      ...emptyTally(),
      faults: changes,
      attempts: asked,
      acked: runs,
      ok: runs - missing,
      lost: missing,
      unexpected: extra,
      stuck: throws,
    }
  },
}
