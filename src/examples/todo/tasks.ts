/**
 * The log line about a new task, written by a worker: with nobody at work the line waits, as a run, and comes
 * when somebody is. The task is `transactional`, and a task has one such line: it is written once, whatever
 * happens to the worker.
 */
import type { TransactionSql } from 'postgres'
import { z } from 'zod'
import { cron, schedule, task } from '../../index.ts'

export const logCreated = task(
  'todo.log_created',
  {
    input: z.object({ task_id: z.int().positive() }),
    transactional: true,
    attemptsMax: 5,
    retry: { base: '2s' },
  },
  async ({ task_id }, context) => {
    const tx: TransactionSql = context.tx
    const [line] = await tx<{ message: string }[]>`
      insert into examples.task_log (task_id, event, message)
      select task.id, 'created', format('Task "%s" was created by %s', task.title, owner.username)
      from examples.tasks task join examples.users owner on owner.id = task.owner_id
      where task.id = ${task_id}
      on conflict (task_id) where event = 'created' do nothing
      returning message`
    // It was logged already, or deleted before its turn came.
    if (!line) return { logged: false }
    context.log.info(line.message)
    return { logged: true }
  },
)

/** Forgets who asked yesterday. */
export const clearThrottles = task('todo.clear_throttles', { transactional: true }, async (_, context) => {
  const tx: TransactionSql = context.tx
  const { count } = await tx`
    delete from examples.throttles where hits[cardinality(hits)] < now() - interval '1 day' or hits = '{}'`
  return { cleared: count }
})

export const nightly = schedule(
  'todo: clear throttles',
  cron('30 3 * * *', { timezone: 'Europe/Kyiv' }),
  clearThrottles,
  {},
  { description: 'Declared by the examples; edit it and it is yours.' },
)
