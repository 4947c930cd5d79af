/**
 * The API of AdminJS: the addresses by which its pages list, search, show and change records. Its controllers do the work; what @adminjs/fastify
 * would put around them is not used, since it lets anybody in who writes the name of a file behind an address. Bodies are JSON.
 *
 * AdminJS hides what an action's isAccessible denies and answers 200 with a word about it. Here an action that is unknown is 404, one that is
 * denied is 403, before anything of it runs; and what the action does asks once more, for the scope of its verb.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ApiController, Router } from 'adminjs'
import { mayDo } from '../../src/auth/scopes.ts'
import { AccessError } from '../../src/errors.ts'
import type { PanelAdmin } from '../adminjs.ts'
import { arrivedAs, refuseUnknown } from './arrival.ts'

type Answer = (request: object, reply: object) => Promise<unknown>

interface Place {
  resourceId?: string
  action?: string
  pageName?: string
}

export function resourceRoutes(
  app: FastifyInstance,
  { admin, root }: { admin: PanelAdmin; root: string },
): void {
  for (const { method, path, action } of Router.routes) {
    // What they do is the action `search`; these are AdminJS's old names for it.
    if (!path.startsWith('/api/') || action === 'search') continue
    const url = `${root}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
    app.route({
      method: method as 'GET' | 'POST',
      url,
      config: { rowbeatPanel: 'call' },
      async handler(request, reply) {
        const caller = arrivedAs(request)
        const currentAdmin = Object.freeze({
          id: caller.id,
          email: caller.name,
          role: caller.role,
          caller,
          may: (scope: Parameters<typeof mayDo>[1]) => mayDo(caller, scope),
        })
        requireAccess(admin, request, currentAdmin)
        const controller = new ApiController({ admin: admin.adminjs }, currentAdmin) as unknown as Record<
          string,
          Answer
        >
        const { params, query, body } = request
        const asked = { params, query, payload: body ?? {}, method: request.method.toLowerCase() }
        return (await controller[action]!(asked, reply)) ?? null
      },
    })
  }
}

/** Throws RequestError RB_ROUTE_UNKNOWN or AccessError RB_SCOPE_MISSING. */
function requireAccess({ adminjs }: PanelAdmin, request: FastifyRequest, currentAdmin: object): void {
  const { resourceId, action = 'search', pageName } = request.params as Place
  if (pageName !== undefined && !Object.hasOwn(adminjs.options.pages ?? {}, pageName)) refuseUnknown(request)
  if (resourceId === undefined) return
  const resource = adminjs.resources.find(({ _decorated }) => _decorated?.id() === resourceId)
  const actions = resource?.decorate().actions ?? {}
  if (!resource || !Object.hasOwn(actions, action)) return refuseUnknown(request)
  if (!actions[action]!.isAccessible(currentAdmin as never))
    throw new AccessError(
      'RB_SCOPE_MISSING',
      `Your role does not let you ${action} ${resourceId}: ask an admin.`,
    )
}
