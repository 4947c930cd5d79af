/**
 * /v1/schedules: when tasks run by themselves. Whatever answers one schedule says its version as ETag; whatever would
 * overwrite one (PUT, PATCH, DELETE) must say the version it was made to.
 *
 * A verb is a colon at the end of the address. `^[^:/]+` keeps an id from swallowing it: `:id::run` alone would match
 * another address than it says.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../../auth/scopes.ts'
import { isUuid } from '../../check.ts'
import type { ScheduleDocument } from '../../control/schedule-document.ts'
import { unknownSchedule } from '../../control/schedule-refusal.ts'
import type { Match, ScheduleControl } from '../../control/schedules.ts'
import { RequestError } from '../../errors.ts'
import { callerOf } from '../guard.ts'
import { mayMatch, requireMatch, tagged } from '../precondition.ts'
import { refuseQuery, writeTextCursor } from '../query.ts'
import {
  readBack,
  readDraft,
  readDraftRehearsal,
  readNothing,
  readPause,
  readRehearsal,
  readRunByHand,
  readStretch,
} from '../schedule-body.ts'
import {
  readFilterQuery,
  readFiringQuery,
  readImportQuery,
  readListQuery,
  readPreviewQuery,
  readRecentQuery,
  readTimelineQuery,
  readVersionQuery,
  writeListCursor,
} from '../schedule-query.ts'
import {
  CREATE,
  EXPORT,
  FIRED,
  FORESEE,
  FORESEE_DRAFT,
  GET,
  IMPORT,
  LIST,
  PATCH,
  PAUSE,
  PUT,
  RECENT,
  REFILL,
  REHEARSE,
  REHEARSE_DRAFT,
  REMOVE,
  RESUME,
  REVERT,
  RUN_NOW,
  TIME,
  VERSIONS,
} from './schedule-endpoints.ts'
import { BODY_BYTES_MAX } from './runs.ts'

/** Files take longer than single schedules; one that is larger goes in by the command line. */
const EXPORTING = { handlerTimeout: 60_000 }
const IMPORTING = { handlerTimeout: 60_000, bodyLimit: 16_777_216 }
const WRITING = { bodyLimit: BODY_BYTES_MAX }

const ONE = '/v1/schedules/:id'
const verb = (name: string): string => `/v1/schedules/:id(^[^:/]+)::${name}`

export function scheduleRoutes(app: FastifyInstance, control: ScheduleControl): void {
  app.get('/v1/schedules', LIST, async (request) => {
    const { filter, place } = readListQuery(request.query)
    const { items, more } = await control.list(callerOf(request), filter, place)
    return { items, next: more ? writeListCursor(place, items.at(-1)!) : null }
  })
  app.post('/v1/schedules', { ...CREATE, ...WRITING }, async (request, reply) => {
    refuseQuery(request.query)
    const made = await control.create(callerOf(request), bodyOf(request))
    reply.code(201).header('location', `${app.prefix}/v1/schedules/${made.id}`)
    return tagged(reply, made)
  })
  app.get(ONE, GET, async (request, reply) => {
    refuseQuery(request.query)
    return tagged(reply, await control.read(callerOf(request), idOf(request)))
  })
  app.put(ONE, { ...PUT, ...WRITING }, async (request, reply) => {
    const { caller, id, match } = await changeOf(request, control)
    return tagged(reply, await control.replace(caller, id, bodyOf(request), match))
  })
  app.patch(ONE, { ...PATCH, ...WRITING }, async (request, reply) => {
    const { caller, id, match } = await changeOf(request, control)
    return tagged(reply, await control.edit(caller, id, bodyOf(request), match))
  })
  app.delete(ONE, REMOVE, async (request, reply) => {
    const { caller, id, match } = await changeOf(request, control)
    readNothing(request.body)
    return answerDeleted(reply, await control.delete(caller, id, match))
  })
  verbRoutes(app, control)
  listRoutes(app, control)
}

function verbRoutes(app: FastifyInstance, control: ScheduleControl): void {
  app.post(verb('run'), { ...RUN_NOW, ...WRITING }, async (request, reply) => {
    refuseQuery(request.query)
    const asked = readRunByHand(request.body)
    const run = await control.run(callerOf(request), idOf(request), asked, mayMatch(request))
    return reply.code(202).header('location', `${app.prefix}/v1/runs/${run.id}`).send(run)
  })
  app.post(verb('pause'), PAUSE, async (request, reply) => {
    refuseQuery(request.query)
    const pause = readPause(request.body)
    return tagged(reply, await control.pause(callerOf(request), idOf(request), pause, mayMatch(request)))
  })
  app.post(verb('resume'), RESUME, async (request, reply) => {
    refuseQuery(request.query)
    readNothing(request.body)
    return tagged(reply, await control.resume(callerOf(request), idOf(request), mayMatch(request)))
  })
  app.post(verb('revert'), REVERT, async (request, reply) => {
    refuseQuery(request.query)
    const back = readBack(request.body)
    return tagged(reply, await control.revert(callerOf(request), idOf(request), mayMatch(request), back))
  })
  app.post(verb('backfill'), REFILL, async (request, reply) => {
    refuseQuery(request.query)
    const stretch = readStretch(bodyOf(request))
    const done = await control.backfill(callerOf(request), idOf(request), stretch, mayMatch(request))
    return reply.code(done.dry_run ? 200 : 202).send(done)
  })
  app.post(verb('dry-run'), { ...REHEARSE, ...WRITING }, async (request) => {
    refuseQuery(request.query)
    return await control.dryRun(callerOf(request), idOf(request), readRehearsal(request.body))
  })
}

function listRoutes(app: FastifyInstance, control: ScheduleControl): void {
  app.get(`${ONE}/firings`, FIRED, async (request) => {
    const query = readFiringQuery(request.query)
    const { items, before } = await control.firings(callerOf(request), idOf(request), query)
    return { items, next: before === null ? null : writeTextCursor(before) }
  })
  app.get(`${ONE}/versions`, VERSIONS, async (request) => {
    const page = readVersionQuery(request.query)
    const { items, before } = await control.versions(callerOf(request), idOf(request), page)
    return { items, next: before === null ? null : writeTextCursor(String(before)) }
  })
  app.get('/v1/schedules::recent', RECENT, async (request) => {
    const { ids, count } = readRecentQuery(request.query)
    return { items: await control.recent(callerOf(request), ids, count) }
  })
  app.get('/v1/schedules::timeline', TIME, async (request) =>
    control.timeline(callerOf(request), readTimelineQuery(request.query)),
  )
  app.post('/v1/schedules::dry-run', { ...REHEARSE_DRAFT, ...WRITING }, async (request) => {
    refuseQuery(request.query)
    return await control.dryRunDraft(callerOf(request), readDraftRehearsal(bodyOf(request)))
  })
  app.get(`${ONE}/preview`, FORESEE, async (request) =>
    control.preview(callerOf(request), idOf(request), readPreviewQuery(request.query)),
  )
  app.post('/v1/schedules::preview', { ...FORESEE_DRAFT, ...WRITING }, async (request) => {
    refuseQuery(request.query)
    return await control.previewDraft(callerOf(request), readDraft(bodyOf(request)))
  })
  app.get('/v1/schedules::export', { ...EXPORT, ...EXPORTING }, async (request) =>
    control.export(callerOf(request), readFilterQuery(request.query)),
  )
  app.post('/v1/schedules::import', { ...IMPORT, ...IMPORTING }, async (request) =>
    control.import(callerOf(request), bodyOf(request), readImportQuery(request.query)),
  )
}

/** An id that is no UUID is the id of no schedule. */
function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string }
  if (isUuid(id)) return id.toLowerCase()
  throw unknownSchedule(JSON.stringify(id))
}

async function changeOf(
  request: FastifyRequest,
  control: ScheduleControl,
): Promise<{ caller: Caller; id: string; match: Match }> {
  refuseQuery(request.query)
  const [caller, id] = [callerOf(request), idOf(request)]
  return { caller, id, match: await requireMatch(request, () => control.require(caller, id)) }
}

function bodyOf(request: FastifyRequest): unknown {
  if (request.body !== undefined) return request.body
  throw new RequestError('RB_BODY_INVALID', 'The body is missing: send an object as JSON.')
}

/** Code that still declares it makes it again: who deletes it has to know. */
function answerDeleted(reply: FastifyReply, { origin, name }: ScheduleDocument): FastifyReply {
  if (origin === 'user') return reply.code(204).send()
  const note = `${JSON.stringify(name)} was declared by code: a beat that starts with that code makes it again. To keep it from running, pause it.`
  return reply.send({ note })
}
