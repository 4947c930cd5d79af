/**
 * What the modules brought, held against each other: two of one name, a schedule that can never fire or whose input its
 * task would refuse, a queue that nobody here serves. Each part knows the file it came from.
 */
import { nowMs } from '../../clock.ts'
import type { Config } from '../../config.ts'
import { RowbeatError } from '../../errors.ts'
import { CLEANUP_TASK } from '../../dispatcher/cleanup.ts'
import { createAlmanac, type Almanac } from '../../schedules/almanac.ts'
import { whyNever } from '../../schedules/definition.ts'
import { isSchedule, type Schedule } from '../../schedules/schedule.ts'
import { isQueueDefinition } from '../../tasks/queue.ts'
import { createRouter, type Router, type Routes } from '../../tasks/route.ts'
import { isTask, type Task } from '../../tasks/task.ts'
import type { Note } from './check.ts'

/** A value that a file gives, of whatever kind. */
export interface Part {
  place: string
  value: unknown
}

export interface Counts extends Record<string, number> {
  tasks: number
  schedules: number
  queues: number
}

interface Scene {
  config: Config
  note: Note
  tasks: ReadonlyMap<string, Task>
  router: Router | null
  almanac: Almanac
}

export function checkParts(
  parts: readonly Part[],
  config: Config,
  routes: Routes | null,
  note: Note,
): Counts {
  const tasks = uniqueByName(parts, isTask, 'task', note)
  const schedules = uniqueByName(parts, isSchedule, 'schedule', note)
  const queues = uniqueByName(parts, isQueueDefinition, 'queue', note)
  const known = new Map([...tasks].map(([name, { value }]) => [name, value]))
  const router = routes ? createRouter(routes) : null
  const almanac = createAlmanac({ zone: config.timezone })
  const scene: Scene = { config, note, tasks: known, router, almanac }
  if (tasks.size === 0) {
    const message = `No task was found in ${config.taskGlobs.join(', ')}: set ROWBEAT_TASKS to the modules that export your tasks, as in "src/**/tasks.ts".`
    note({ level: 'fault', place: 'ROWBEAT_TASKS', message })
  }
  for (const { place, value } of tasks.values()) checkTask(place, value, scene)
  for (const { place, value } of schedules.values()) checkSchedule(place, value, scene)
  return { tasks: tasks.size, schedules: schedules.size, queues: queues.size }
}

/** One value exported by two modules is one; two values of one name are a fault that names both files. */
function uniqueByName<T extends { readonly name: string }>(
  parts: readonly Part[],
  isOne: (value: unknown) => value is T,
  what: string,
  note: Note,
): Map<string, { place: string; value: T }> {
  const found = new Map<string, { place: string; value: T }>()
  for (const { place, value } of parts) {
    if (!isOne(value)) continue
    const standing = found.get(value.name)
    if (standing && standing.value !== value) {
      const where = standing.place === place ? 'the same file' : standing.place
      const message = `a second ${what} is named "${value.name}", the first is in ${where}: rename one of them.`
      note({ level: 'fault', place, message })
    }
    if (!standing) found.set(value.name, { place, value })
  }
  return found
}

function checkTask(place: string, task: Task, scene: Scene): void {
  const queue = scene.router?.routeName(task.name)?.queue ?? task.options.queue ?? 'default'
  requireServed(place, `task "${task.name}"`, queue, scene)
}

function checkSchedule(place: string, schedule: Schedule, scene: Scene): void {
  const { note, config, almanac, tasks } = scene
  const called = `schedule "${schedule.name}"`
  try {
    const definition = schedule.resolve(config.timezone)
    const never = definition.enabled ? whyNever(definition, almanac, nowMs()) : null
    if (never) note({ level: 'fault', place, message: `${called}: ${never.pointer} ${never.detail}.` })
    const task = tasks.get(definition.task)
    if (task) checkInput(place, called, task, definition.input, scene)
    else if (definition.task !== CLEANUP_TASK) {
      const message = `${called} runs "${definition.task}", which is none of the tasks here: correct the name, unless another service has it.`
      note({ level: 'warning', place, message })
    }
    if (definition.queue) requireServed(place, called, definition.queue, scene)
  } catch (error) {
    if (!(error instanceof RowbeatError)) throw error
    note({ level: 'fault', place, message: error.message })
  }
}

/** A schema that answers later is left to the run. */
function checkInput(place: string, called: string, task: Task, input: unknown, { note }: Scene): void {
  const checked = task.input?.check(input)
  if (checked instanceof Promise) return void checked.catch(() => {})
  for (const { pointer, detail } of checked && 'faults' in checked ? checked.faults : [])
    note({ level: 'fault', place, message: `${called}: ${pointer} ${detail}.` })
}

function requireServed(place: string, who: string, queue: string, { note, config }: Scene): void {
  if (Object.hasOwn(config.queues, queue)) return
  const message = `${who} goes to queue "${queue}", which this configuration does not serve: add it to ROWBEAT_QUEUES, unless another worker has it.`
  note({ level: 'warning', place, message })
}
