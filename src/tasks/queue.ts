/**
 * A queue as the application defines it: a name and the limits it begins with. A queue needs no definition; one that
 * has limits, or that `unknownQueue: 'refuse'` is to know, is defined. The row in rowbeat.queues is the truth: a worker
 * writes into it at its start only what is null there, so an operator's number outlives every deployment.
 */
import { integer } from '../check.ts'
import { QueueError } from '../errors.ts'
import { QUEUE_NAME } from './options.ts'
import { parseRate, RATE_WORDS } from './rate.ts'

export interface QueueOptions {
  /** Runs at once over all workers; default no limit. */
  concurrency?: number
  /** Starts per time over all workers, as in `10/m`; default no limit. */
  rate?: string | number
  /** How many may start at once after a quiet while; default a tenth of a second's worth, at least one. */
  burst?: number
}

export interface QueueDefinition {
  readonly name: string
  readonly options: Readonly<QueueOptions>
  readonly '~queue': true
}

export type QueueTree = QueueDefinition | readonly QueueTree[] | { readonly [key: string]: QueueTree }

/** Defines a queue. Throws QueueError (RB_QUEUE_INVALID) when the name or an option is not allowed. */
export function defineQueue(name: string, options: QueueOptions = {}): QueueDefinition {
  const why = explainQueue(name, options)
  if (why) throw new QueueError('RB_QUEUE_INVALID', `queue ${JSON.stringify(name)}: ${why}.`)
  return Object.freeze({ name, options: Object.freeze({ ...options }), '~queue': true as const })
}

export function isQueueDefinition(value: unknown): value is QueueDefinition {
  return typeof value === 'object' && value !== null && (value as QueueDefinition)['~queue'] === true
}

/** Every definition of the tree, once. Two different ones of one name are refused. */
export function listQueues(tree: QueueTree | undefined): QueueDefinition[] {
  const queues = new Map<string, QueueDefinition>()
  collect(tree, queues)
  return [...queues.values()]
}

function collect(tree: QueueTree | undefined, queues: Map<string, QueueDefinition>): void {
  if (tree === undefined || tree === null) return
  if (isQueueDefinition(tree)) {
    const standing = queues.get(tree.name)
    if (standing && standing !== tree)
      throw new QueueError('RB_QUEUE_INVALID', `queue "${tree.name}" is defined twice: drop one of the two.`)
    return void queues.set(tree.name, tree)
  }
  if (typeof tree !== 'object')
    throw new QueueError(
      'RB_QUEUE_INVALID',
      `queueDefinitions: ${String(tree)} is none; make it with defineQueue(name, options).`,
    )
  for (const branch of Object.values(tree)) collect(branch as QueueTree, queues)
}

const positive = integer(1, 1_000_000)

function explainQueue(name: unknown, options: QueueOptions): string | null {
  if (typeof name !== 'string' || !QUEUE_NAME.test(name)) return `the name must match ${QUEUE_NAME.source}`
  const { concurrency, rate, burst, ...rest } = options
  const [unknown] = Object.keys(rest)
  if (unknown) return `"${unknown}" is no option of a queue; known are concurrency, rate, burst`
  for (const [key, value] of Object.entries({ concurrency, burst })) {
    const why = value === undefined ? null : positive(value)
    if (why) return `${key} ${why}`
  }
  if (rate !== undefined && !parseRate(rate)) return `rate is ${JSON.stringify(rate)}; give ${RATE_WORDS}`
  return burst !== undefined && rate === undefined ? 'burst needs a rate beside it' : null
}
