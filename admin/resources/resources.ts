/** All resources of the panel, each with the verbs it reads and writes by. */
import type { ResourceOptions } from 'adminjs'
import { createAuditControl } from '../../src/control/audit.ts'
import { createFiringControl } from '../../src/control/firings.ts'
import { createKeyControl } from '../../src/control/keys.ts'
import { createQueueControl } from '../../src/control/queues.ts'
import { createRunControl } from '../../src/control/runs.ts'
import { createScheduleControl } from '../../src/control/schedules.ts'
import { createUserControl } from '../../src/control/users.ts'
import { createWorkerControl } from '../../src/control/workers.ts'
import { toQueryable } from '../../src/db/handle.ts'
import type { Rowbeat } from '../../src/queue/rowbeat.ts'
import { auditSource } from './audit.ts'
import { firingSource } from './firings.ts'
import { keySource } from './keys.ts'
import { describeResource } from './options.ts'
import { queueSource } from './queues.ts'
import type { SourceResource } from './resource.ts'
import { runSource } from './runs.ts'
import { scheduleSource } from './schedules.ts'
import { userSource } from './users.ts'
import { workerSource } from './workers.ts'

/** For AdminJS's option `resources`. `timezone`: of crontabs that name none. */
export function describeResources(
  rowbeat: Rowbeat,
  { timezone }: { timezone?: string } = {},
): { resource: SourceResource; options: ResourceOptions }[] {
  const db = toQueryable(rowbeat.db)
  const runs = createRunControl(rowbeat)
  return [
    runSource(runs),
    scheduleSource(createScheduleControl(rowbeat, { runs, timezone })),
    queueSource(createQueueControl(rowbeat)),
    workerSource(createWorkerControl(db)),
    firingSource(createFiringControl(db)),
    keySource(createKeyControl(rowbeat)),
    userSource(createUserControl(rowbeat)),
    auditSource(createAuditControl(db)),
  ].map(describeResource)
}
