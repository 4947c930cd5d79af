/**
 * What an operator should look at now: each problem with a code that alarms can name, what is seen, and how to mend it. The
 * facts come from one statement; what they mean is decided here, by rules that know no database, so that each can be tried.
 */
import { requireScope, type Caller } from '../auth/scopes.ts'
import { explainDatabaseError } from '../db/connect.ts'
import type { Queryable } from '../db/handle.ts'
import { listHolders, type Holder } from '../db/statements/diagnosis.ts'
import { readProblemFacts, type ProblemFacts } from '../db/statements/problems.ts'
import { createMemo } from './memo.ts'

export const PROBLEM_CODES = [
  'no_worker',
  'no_beat',
  'queue_unserved',
  'queue_paused',
  'queue_slow',
  'task_unknown',
  'task_unserved',
  'worker_silent',
  'worker_lag',
  'worker_clock',
  'worker_versions',
  'worker_polling',
  'run_poison',
  'schedule_error',
  'schedule_never',
  'schedule_disabled',
  'schedule_late',
  'operation_stuck',
  'transaction_old',
  'retention_behind',
] as const
export type ProblemCode = (typeof PROBLEM_CODES)[number]

export interface TroubleDocument {
  code: ProblemCode
  /** `error`: something does not happen; `warning`: it may soon, or happens late. */
  level: 'error' | 'warning'
  /** What has the problem: the name of a queue, task, worker, schedule or session, the id of an operation; null for all. */
  subject: string | null
  /** What is seen. */
  detail: string
  /** What to do. */
  mend: string
  /** Runs that wait because of it, where they were counted. */
  runs: number | null
  /** Addresses of what it is about, below where the API is mounted. */
  links: string[]
}

export interface ProblemControl {
  /** Errors first. */
  list(caller: Caller): Promise<TroubleDocument[]>
}

/** Seconds after which a process is silent, and after which runs that could run wait too long. */
const SILENT = 10
const SLOW = 300
const LAG_MS = 500
const SKEW_MS = 2000
/** Transactions so old keep rows from being cleared away, and upkeep, which comes each hour, is behind. */
const OLD = 300
const TOO_OLD = 3600
const BEHIND = 3 * 3600

/** Pages that are open ask every few seconds. */
const SHARE = 50

export function createProblemControl(db: Queryable): ProblemControl {
  const memo = createMemo<TroubleDocument[]>(SHARE)
  return Object.freeze({
    async list(caller: Caller) {
      requireScope(caller, 'runs:read')
      requireScope(caller, 'queues:read')
      requireScope(caller, 'workers:read')
      requireScope(caller, 'schedules:read')
      const find = async (): Promise<TroubleDocument[]> => {
        const [facts, holders] = await Promise.all([readProblemFacts(db), listHolders(db)])
        return findTroubles(facts, holders)
      }
      return await memo('', find).catch((error: unknown) => {
        throw explainDatabaseError(error)
      })
    },
  })
}

type Told = Omit<TroubleDocument, 'runs'> & { runs?: number }

/** Pure. */
export function findTroubles(facts: ProblemFacts, holders: readonly Holder[] = []): TroubleDocument[] {
  const told: Told[] = [
    ...queueTroubles(facts),
    ...processTroubles(facts),
    ...facts.poison.map(poisonTrouble),
    ...scheduleTroubles(facts),
    ...operationTroubles(facts),
    ...holders.flatMap(holderTrouble),
    ...upkeepTroubles(facts),
  ]
  return told
    .map(({ runs = null, ...rest }) => ({ ...rest, runs }))
    .sort((a, b) => Number(a.level === 'warning') - Number(b.level === 'warning'))
}

const isWorking = ({ kind, unseen, stopping }: ProblemFacts['processes'][number]): boolean =>
  kind === 'worker' && unseen < SILENT && !stopping
const runsIn = (queue: string, task?: string): string =>
  `/v1/runs?state=PENDING&queue=${queue}${task === undefined ? '' : `&task=${task}`}`

function queueTroubles({ processes, waiting, backlog, queues }: ProblemFacts): Told[] {
  const workers = processes.filter(isWorking)
  const parked = new Map(backlog.map(({ queue, n }) => [queue, n]))
  const names = [...new Set([...waiting.map(({ queue }) => queue), ...parked.keys()])].sort()
  return names.flatMap((queue): Told[] => {
    const here = waiting.filter((one) => one.queue === queue)
    const runs = here.reduce((sum, { n }) => sum + n, 0) + (parked.get(queue) ?? 0)
    const links = [`/v1/queues/${queue}`, runsIn(queue)]
    const held = queues.find(({ name }) => name === queue)
    if (held?.paused_at) {
      const why = held.pause_reason ? `: ${held.pause_reason}` : ''
      const detail = `Queue ${queue} is paused since ${held.paused_at}${why}; ${count(runs)} in it.`
      const mend = `Resume it when what it was paused for is over: rowbeat queues resume ${queue}.`
      return [{ code: 'queue_paused', level: 'warning', subject: queue, detail, mend, runs, links }]
    }
    const serving = workers.filter((worker) => worker.queues.includes(queue))
    if (serving.length === 0) {
      const detail = `No live worker serves queue ${queue}, and ${count(runs)} in it.`
      const mend = `Start a worker for it (rowbeat worker -Q ${queue}), or move the runs to another queue.`
      return [{ code: 'queue_unserved', level: 'error', subject: queue, detail, mend, runs, links }]
    }
    const lost = here.filter(({ task }) => !serving.some(({ tasks }) => tasks.includes(task)))
    const oldest = Math.max(0, ...here.filter((one) => !lost.includes(one)).map(({ age }) => age))
    return [...lost.map((one) => strayTask(one)), ...(oldest > SLOW ? [slowQueue(queue, oldest, runs)] : [])]
  })
}

function strayTask({ queue, task, n, known }: ProblemFacts['waiting'][number]): Told {
  const links = [runsIn(queue, task), ...(known ? [`/v1/tasks/${task}`] : [])]
  if (known) {
    const detail = `No live worker of queue ${queue} has task ${task}, and ${count(n)} for it.`
    const mend = `Start a worker that has the task and serves the queue, or give the worker the file it is in (ROWBEAT_TASKS).`
    return { code: 'task_unserved', level: 'error', subject: task, detail, mend, runs: n, links }
  }
  const detail = `No process ever registered task ${task}, and ${count(n)} for it in queue ${queue}.`
  const mend = `Correct the name where it is enqueued and revoke these runs, or start a worker that has it.`
  return { code: 'task_unknown', level: 'error', subject: task, detail, mend, runs: n, links }
}

function slowQueue(queue: string, age: number, runs: number): Told {
  const detail = `In queue ${queue} a run that may run has waited for ${span(age)}; ${count(runs)}.`
  const mend =
    'Give it more workers or slots, a limit it can live with, or its urgent runs a queue of their own.'
  const links = [`/v1/queues/${queue}`, runsIn(queue)]
  return { code: 'queue_slow', level: 'warning', subject: queue, detail, mend, runs, links }
}

function processTroubles({ processes, enabled }: ProblemFacts): Told[] {
  const told: Told[] = []
  const live = processes.filter(({ unseen }) => unseen < SILENT)
  const add = (
    code: ProblemCode,
    level: Told['level'],
    subject: string | null,
    detail: string,
    mend: string,
  ) => told.push({ code, level, subject, detail, mend, links: ['/v1/workers'] })
  if (!live.some(({ kind }) => kind === 'worker'))
    add('no_worker', 'error', null, 'No worker lives, so nothing runs.', 'Start one: rowbeat worker.')
  if (enabled > 0 && !live.some(({ kind }) => kind === 'beat'))
    add('no_beat', 'error', null, 'No beat lives, so no schedule fires.', 'Start one: rowbeat beat.')
  for (const { name, kind, unseen, lag_ms: lag, skew_ms: skew, listening } of processes) {
    const who = `${kind} ${name}`
    if (unseen >= SILENT) {
      const mend = 'Its runs go back as soon as a worker lives that sees it; look at its machine and its log.'
      add('worker_silent', 'error', name, `Nothing was heard of ${who} for ${span(unseen)}.`, mend)
      continue
    }
    if (lag !== null && lag > LAG_MS) {
      const mend =
        'A handler keeps the event loop busy: isolate it (isolate: "thread"), or lower the concurrency.'
      add('worker_lag', 'warning', name, `The event loop of ${who} is ${Math.round(lag)} ms late.`, mend)
    }
    if (skew !== null && Math.abs(skew) > SKEW_MS) {
      const mend = 'Let its machine keep time (NTP): times that a worker stamps are wrong until then.'
      add('worker_clock', 'warning', name, `The clock of ${who} is ${Math.round(skew)} ms off.`, mend)
    }
    if (listening === false) {
      const detail = `No notification reaches ${who}: it looks for work about once a second instead.`
      const mend =
        'A pooler in transaction mode (PgBouncer) does not carry LISTEN: give workers a direct address, or pool_mode = session.'
      add('worker_polling', 'warning', name, detail, mend)
    }
  }
  const versions = [...new Set(live.map(({ version }) => version))].sort()
  if (versions.length > 1) {
    const detail = `Processes of ${versions.length} releases live: ${versions.join(', ')}.`
    add(
      'worker_versions',
      'warning',
      null,
      detail,
      'Finish the deployment: two releases at once are meant for its time only.',
    )
  }
  return told
}

function scheduleTroubles({ schedules }: ProblemFacts): Told[] {
  return schedules.map(({ id, name, enabled, error, failures, late }): Told => {
    const about = { subject: name, links: [`/v1/schedules/${id}`, `/v1/schedules/${id}/firings`] }
    if (error !== null && /\bnever\b/.test(error)) {
      const detail = `Schedule "${name}" never fires: ${error.replace(/^never fires: /, '')}.`
      const mend = 'Give it an instant that lies ahead, or disable it.'
      return { ...about, code: 'schedule_never', level: 'error', detail, mend }
    }
    if (error !== null) {
      const detail = `Schedule "${name}" cannot fire: ${error}`
      return { ...about, code: 'schedule_error', level: 'error', detail, mend: 'Edit what it names.' }
    }
    if (!enabled) {
      const detail = `Schedule "${name}" was stopped after ${failures} failures in a row.`
      const mend = 'Mend what its runs fail of, and resume it.'
      return { ...about, code: 'schedule_disabled', level: 'error', detail, mend }
    }
    const detail = `Schedule "${name}" is due since ${span(late ?? 0)} and has not fired.`
    return {
      ...about,
      code: 'schedule_late',
      level: 'error',
      detail,
      mend: 'Look whether a beat lives, and at its log.',
    }
  })
}

function operationTroubles({ operations }: ProblemFacts): Told[] {
  return operations.map(({ id, kind, late, error }) => ({
    code: 'operation_stuck',
    level: 'error',
    subject: id,
    detail: `Operation ${kind} has not moved for ${span(late)}${error ? `: ${error}` : ''}.`,
    mend: 'Workers work it off: look whether one lives; or stop it.',
    links: [`/v1/operations/${id}`],
  }))
}

function poisonTrouble({ task, waiting, lost }: ProblemFacts['poison'][number]): Told {
  const runs = (n: number): string => (n === 1 ? '1 run' : `${n} runs`)
  const words = [
    ...(lost > 0 ? [`${runs(lost)} given up in the last hour`] : []),
    ...(waiting > 0 ? [`${runs(waiting)} waiting for another try, alone`] : []),
  ]
  const search = `task:${task} ${lost > 0 ? 'reason:worker_lost' : 'redeliveries:>0'}`
  return {
    code: 'run_poison',
    level: lost > 0 ? 'error' : 'warning',
    subject: task,
    detail: `Workers die of task ${task}: ${words.join(', ')}.`,
    mend: 'Look at what it does to its process (memory, native code), isolate it (isolate: "process"), and retry these runs once it is mended.',
    runs: waiting + lost,
    links: [`/v1/runs?q=${encodeURIComponent(search)}`],
  }
}

function holderTrouble({ kind, name, seconds, state, application }: Holder): Told[] {
  if (seconds === null || seconds < OLD) return []
  const who = application ? `${kind} ${name} (${application})` : `${kind} ${name}`
  const doing = state ? `, ${state}` : ''
  return [
    {
      code: 'transaction_old',
      level: seconds < TOO_OLD ? 'warning' : 'error',
      subject: name,
      detail: `A transaction of ${who} is open for ${span(seconds)}${doing}: deleted rows stay, and every claim walks past them.`,
      mend:
        kind === 'session'
          ? `End it where it was begun, or here: select pg_terminate_backend(${name}).`
          : `End it: rollback prepared '${name}'.`,
      links: [],
    },
  ]
}

function upkeepTroubles({ processes, upkeep: { unseen, expired } }: ProblemFacts): Told[] {
  if (!processes.some(isWorking)) return []
  const isLate = unseen !== null && unseen >= BEHIND
  if (!isLate && (expired ?? 0) < BEHIND) return []
  const detail = isLate
    ? `Upkeep of results has not begun for ${span(unseen)}.`
    : `Results that expired ${span(expired!)} ago are still there.`
  const mend =
    'Workers do it each hour: look into their logs; to catch up at once: rowbeat call rowbeat.cleanup.'
  return [{ code: 'retention_behind', level: 'warning', subject: null, detail, mend, links: [] }]
}

const count = (runs: number): string => (runs === 1 ? '1 run waits' : `${runs} runs wait`)

function span(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
