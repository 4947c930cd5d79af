/**
 * POST /v1/runs:batch: up to a thousand runs in one request, all or none.
 */
import type { FastifyInstance } from 'fastify'
import { isObject, objectSchema, type Schema } from '../../check.ts'
import { BATCH_MAX, type BatchItem, type BatchedRun } from '../../control/run-batch.ts'
import type { Caller } from '../../auth/scopes.ts'
import { EnqueueError, RequestError, type Fault } from '../../errors.ts'
import { BATCHED } from '../documents/run-parts.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import { refuseQuery } from '../query.ts'
import { addIdempotencyKey, readRunBody, RUN_BODY } from '../run-body.ts'

/** A thousand runs of some kilobytes each; larger inputs go by themselves. */
const BATCH_BYTES_MAX = 8 * 1_048_576
/** What is put behind the batch's key makes the key of a run. */
const KEY_MAX = 500

const BATCH_BODY: Schema = {
  title: 'RunBatch',
  ...objectSchema({ runs: null }, ['runs']),
  properties: { runs: { type: 'array', minItems: 1, maxItems: BATCH_MAX, items: RUN_BODY } },
}

const ENQUEUE_MANY = endpoint(
  { auth: 'scope', scope: 'runs:write' },
  {
    id: 'enqueueRuns',
    tag: 'runs',
    summary: 'Enqueues many runs, all or none',
    description:
      'What is wrong with any of them is told at once, with pointers such as /runs/3/input/x. A batch that is sent again with the same Idempotency-Key makes no run twice.',
    headers: {
      'Idempotency-Key': {
        type: 'string',
        maxLength: KEY_MAX,
        description:
          'Stands, with its number in the batch, for the `idempotency_key` of each run that has none',
      },
    },
    body: {
      schema: BATCH_BODY,
      example: {
        runs: [
          { task: 'demo.add', input: { x: 1, y: 2 } },
          { task: 'demo.add', input: { x: 3, y: 4 }, queue: 'high' },
        ],
      },
    },
    answers: {
      202: { description: 'What became of each, in order', schema: BATCHED },
      200: { description: 'All of them stood already', schema: BATCHED },
    },
    problems: [
      'RB_OPTION_INVALID',
      'RB_INPUT_INVALID',
      'RB_TASK_UNKNOWN',
      'RB_QUEUE_UNKNOWN',
      'RB_RUN_DUPLICATE',
      'RB_IDEMPOTENCY_REUSED',
    ],
  },
)

export function runBatchRoutes(
  app: FastifyInstance,
  enqueue: (caller: Caller, items: readonly BatchItem[]) => Promise<BatchedRun[]>,
): void {
  app.post('/v1/runs::batch', { ...ENQUEUE_MANY, bodyLimit: BATCH_BYTES_MAX }, async (request, reply) => {
    refuseQuery(request.query)
    if (request.body === undefined)
      throw new RequestError(
        'RB_BODY_INVALID',
        'The body is missing: send {"runs": [{"task": "<name>", "input": {}}]} as JSON.',
      )
    const items = readBatch(request.body, request.headers['idempotency-key'])
    const done = await enqueue(callerOf(request), items)
    return reply.code(done.some(({ created }) => created) ? 202 : 200).send({ items: done })
  })
}

function readBatch(body: unknown, header: string | string[] | undefined): BatchItem[] {
  const { runs, ...rest } = isObject(body) ? body : { runs: null }
  const faults: Fault[] = Object.keys(rest).map((name) => ({
    pointer: `/${name}`,
    detail: 'is not a field here; known is runs',
  }))
  if (!Array.isArray(runs) || runs.length === 0 || runs.length > BATCH_MAX)
    faults.push({ pointer: '/runs', detail: `must be a list of 1 to ${BATCH_MAX} bodies of POST /v1/runs` })
  const key = typeof header === 'string' ? header.replace(/^"(.*)"$/, '$1') : null
  if (key !== null && (key === '' || key.length > KEY_MAX))
    faults.push({ pointer: '', detail: `the header Idempotency-Key must have 1 to ${KEY_MAX} characters` })
  if (faults.length > 0) {
    const [first] = faults
    const words = `The batch is refused: ${first!.pointer} ${first!.detail}.`.replace('  ', ' ')
    throw new EnqueueError('RB_OPTION_INVALID', words, faults)
  }
  return (runs as unknown[]).map((run, index) =>
    readRunBody(key === null ? run : addIdempotencyKey(run, `${key}#${index}`)),
  )
}
