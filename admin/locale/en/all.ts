/** English, whole: one line a noun. The other languages are data of the same shape beside this folder. */
import { audit } from './audit.ts'
import { failures } from './failures.ts'
import { firings } from './firings.ts'
import { frame } from './frame.ts'
import { keys } from './keys.ts'
import { kit } from './kit.ts'
import { login } from './login.ts'
import { overview } from './overview.ts'
import { problems } from './problems.ts'
import { queues } from './queues.ts'
import { runs } from './runs.ts'
import { schedules } from './schedules.ts'
import { states } from './states.ts'
import { timeline } from './timeline.ts'
import { users } from './users.ts'
import { workers } from './workers.ts'

export const en = {
  audit,
  failures,
  firings,
  frame,
  keys,
  kit,
  login,
  overview,
  problems,
  queues,
  runs,
  schedules,
  states,
  timeline,
  users,
  workers,
} as const
