/** Every scenario, in the order they run. */
import type { Scenario } from '../scenario.ts'
import { blocked } from './blocked.ts'
import { bulk } from './bulk.ts'
import { drain } from './drain.ts'
import { enqueue } from './enqueue.ts'
import { latency } from './latency.ts'
import { life } from './life.ts'
import { memory } from './memory.ts'
import { panel } from './panel.ts'
import { post } from './post.ts'
import { schedulesBurst, schedulesIdle, schedulesSteady } from './schedules.ts'
import { streams } from './streams.ts'

export const SCENARIOS: Scenario[] = [
  drain,
  enqueue,
  post,
  streams,
  panel,
  bulk,
  life,
  latency,
  memory,
  blocked,
  schedulesIdle,
  schedulesBurst,
  schedulesSteady,
]
