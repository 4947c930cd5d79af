/** The engine as the oracle asks it: a clock for each job and zone, made through the same readers as everybody's. */
import {
  createCrontabClock,
  parseCronLine,
  readCrontab,
  type CrontabClock,
} from '../../src/schedules/crontab.ts'
import { createZones } from '../../src/schedules/zone.ts'
import type { Job } from './oracle.ts'

export function createSubject(): (job: Job, zone: string) => CrontabClock {
  const zones = createZones()
  return ({ line, mode }, zone) => {
    const parsed = parseCronLine(line)
    const read = 'fields' in parsed ? readCrontab({ ...parsed.fields, mode }, '', zone) : parsed
    if (!('spec' in read)) throw new Error(JSON.stringify(read))
    return createCrontabClock(read.spec, zones)
  }
}
