/**
 * GET /v1/runs:export: all runs of a filter as one file. The reply is taken over once the first page is read: from then on it takes
 * as long as the client does, and what fails on the way ends the connection, so that half a file is not taken for a whole.
 */
import type { OutgoingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FastifyInstance } from 'fastify'
import { EXPORT_FORMATS, exportRuns, type ExportFormat } from '../../control/export.ts'
import type { RunControl } from '../../control/runs.ts'
import { keysOf, listOf } from '../documents/document.ts'
import { RUN } from '../documents/run.ts'
import { endpoint } from '../endpoint.ts'
import { callerOf } from '../guard.ts'
import { parameter, readQuery, type Parameters } from '../query.ts'
import { createDraft, finishDraft, RUN_FILTERS, type RunQueryDraft } from '../run-query.ts'

const TYPES: Readonly<Record<ExportFormat, string>> = {
  ndjson: 'application/x-ndjson; charset=utf-8',
  json: 'application/json; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
}

interface ExportDraft extends RunQueryDraft {
  format: ExportFormat
}

const PARAMETERS: Parameters<ExportDraft> = {
  ...RUN_FILTERS,
  format: parameter(
    { type: 'string', enum: EXPORT_FORMATS, default: 'ndjson', description: 'ndjson is a run on each line' },
    (text, query) => {
      query.format = text as ExportFormat
      return EXPORT_FORMATS.includes(query.format) ? null : `must be one of ${EXPORT_FORMATS.join(', ')}`
    },
  ),
}

const EXPORT = endpoint(
  { auth: 'scope', scope: 'runs:read' },
  {
    id: 'exportRuns',
    tag: 'runs',
    summary: 'All runs that pass the filter, newest first, as a file',
    description:
      'The filters are those of the list; `json` is one object with all runs under `items`. In CSV, inputs and results are JSON, and formulas have an apostrophe in front.',
    query: PARAMETERS,
    answers: {
      200: {
        description: 'The file, which comes as it is read',
        schema: { type: 'string' },
        type: 'application/x-ndjson',
        others: {
          'text/csv': { type: 'string' },
          'application/json': keysOf<{ items: unknown }>({ items: listOf(RUN) }),
        },
        headers: ['Content-Disposition'],
      },
    },
  },
)

export function exportRoutes(app: FastifyInstance, control: RunControl): void {
  app.get('/v1/runs::export', { ...EXPORT, exposeHeadRoute: false }, async (request, reply) => {
    const { format, ...draft } = readQuery<ExportDraft>(PARAMETERS, request.query, {
      ...createDraft(),
      format: 'ndjson',
    })
    const { limit: _, ...filter } = finishDraft(draft)
    const pieces = await exportRuns(control.list, callerOf(request), filter, format)
    reply.header('content-type', TYPES[format])
    reply.header('content-disposition', `attachment; filename="runs.${format}"`)
    reply.hijack()
    reply.raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders)
    pipeline(Readable.from(pieces, { highWaterMark: 1 }), reply.raw).catch((error: unknown) => {
      // The client went away, which is his right, or a page could not be read.
      if (codeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE')
        request.log.warn({ err: error }, 'an export ended early')
      reply.raw.destroy()
    })
    return reply
  })
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code
