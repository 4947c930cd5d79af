/**
 * The engine against the slow oracle, short: zones that change their clocks in every way there is (by an hour, half an hour, two
 * hours, at midnight, over Ramadan, for good), with every change from 2024 to 2029. All zones, 2020 to 2035: npm run torture -- zones.
 */
import t from 'tap'
import { createSubject } from './oracle-subject.ts'
import { compareAround, emptyVerdict, JOBS, listChanges, standIn, type Answers } from './oracle.ts'

const FROM = Date.UTC(2024, 0, 1)
const TO = Date.UTC(2030, 0, 1)
const ZONES = [
  'UTC',
  'Africa/Casablanca',
  'America/Havana',
  'America/New_York',
  'America/Santiago',
  'Antarctica/Troll',
  'Asia/Kolkata',
  'Asia/Beirut',
  'Australia/Lord_Howe',
  'Europe/Dublin',
  'Europe/Kyiv',
  'Europe/Volgograd',
]

for (const zone of ZONES)
  t.test(
    `every run round every change of ${zone} is the daemon's, forward, back and from in between`,
    (t) => {
      const subject = createSubject()
      const verdict = emptyVerdict()
      const changes = listChanges(zone, FROM, TO)
      for (const change of changes.length > 0 ? changes : [standIn(zone)])
        compareAround(zone, change, subject, verdict)
      const { missing, extra, throws } = verdict
      t.strictSame({ missing, extra, throws }, { missing: 0, extra: 0, throws: 0 }, verdict.example)
      t.ok(verdict.runs > 1000, `${verdict.runs} runs`)
      t.end()
    },
  )

t.test('the oracle finds an engine that is wrong by one run', (t) => {
  const subject = createSubject()
  const change = { at: Date.UTC(2026, 2, 29, 1), before: 7_200_000, after: 10_800_000 }
  const run = Date.UTC(2026, 2, 29, 1)
  const wrong = (answers: Answers): Answers => ({
    next: (after) => (answers.next(after) === run ? answers.next(run) : answers.next(after)),
    previous: (before) => (answers.previous(before) === run ? run - 60_000 : answers.previous(before)),
  })
  const verdict = emptyVerdict()
  compareAround('Europe/Kyiv', change, (job, zone) => wrong(subject(job, zone)), verdict)
  t.ok(verdict.missing > 0 && verdict.extra > 0, verdict.example)
  t.equal(JOBS.length, 25)
  t.end()
})
