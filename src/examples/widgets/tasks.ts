/**
 * The tasks of Celery's example for Django, and the queues they wait in: `high` for what a person waits for,
 * `default` for the rest. Which goes where is said in ../rowbeat.config.ts, as `task_routes` says it there.
 */
import { z } from 'zod'
import { cron, defineQueue, Discard, schedule, task } from '../../index.ts'
import { withDatabase } from '../database.ts'

export const normal = defineQueue('default')
export const high = defineQueue('high')

const two = z.object({ x: z.number(), y: z.number() })

export const add = task('widgets.add', { input: two }, ({ x, y }) => x + y)

export const mul = task('widgets.mul', { input: two }, ({ x, y }) => x * y)

export const xsum = task(
  'widgets.xsum',
  { input: z.object({ numbers: z.array(z.number()) }) },
  ({ numbers }) => numbers.reduce((sum, number) => sum + number, 0),
)

export const countWidgets = task('widgets.count_widgets', { input: z.object({}) }, async () =>
  withDatabase(async (sql) => {
    const [row] = await sql<{ count: number }[]>`select count(*)::int as count from examples.widgets`
    return row!.count
  }),
)

/** A name is set, not changed step by step: whoever runs it twice has done nothing else than once. */
export const renameWidget = task(
  'widgets.rename_widget',
  { input: z.object({ id: z.int().positive(), name: z.string().trim().min(1).max(100) }) },
  async ({ id, name }) =>
    await withDatabase(async (sql) => {
      const [widget] = await sql<{ id: number; name: string }[]>`
        update examples.widgets set name = ${name} where id = ${id} returning id::int, name`
      if (!widget) throw new Discard(`there is no widget ${id}`)
      return widget
    }),
)

/** Shows what a handler knows of its run. What it returns is not kept. */
export const debugTask = task(
  'widgets.debug_task',
  { input: z.object({}), ignoreResult: true },
  (_, { run, log }) => {
    log.info('a request', run)
    return run
  },
)

export const everyMorning = schedule(
  'widgets: count in the morning',
  cron('0 7 * * mon-fri', { timezone: 'Europe/Kyiv' }),
  countWidgets,
  {},
  { description: 'Declared by the examples; edit it and it is yours.' },
)

/** Switched off, to be switched on by who wants to see it. */
export const everyMinute = schedule(
  'widgets: debug',
  cron('* * * * *', { timezone: 'America/New_York' }),
  debugTask,
  {},
  { enabled: false, description: 'Declared by the examples; edit it and it is yours.' },
)
