/**
 * What AdminJS is told of each resource: who may do what, and which component draws it. A role that lacks the scope does not see the action, and
 * the API refuses it; the verb behind checks once more.
 */
import type { ActionContext, ActionRequest, ActionResponse, ResourceOptions } from 'adminjs'
import { mayDo, ROLE_SCOPES, type Caller, type Role, type Scope } from '../../src/auth/scopes.ts'
import { SourceResource, type ListContext } from './resource.ts'
import type { Source } from './source.ts'

/** Of one resource, as AdminJS takes it. */
export function describeResource(source: Source): { resource: SourceResource; options: ResourceOptions } {
  const { read, write, views, fields } = source
  const may =
    (scope: Scope) =>
    ({ currentAdmin }: Pick<ActionContext, 'currentAdmin'>): boolean =>
      mayAdmin(currentAdmin, scope)
  const never = { isAccessible: false, isVisible: false }
  return {
    resource: new SourceResource(source),
    options: {
      id: source.id,
      sort: { sortBy: fields[0]!.name, direction: 'desc' },
      listProperties: fields.map(({ name }) => name),
      actions: {
        list: { isAccessible: may(read), component: views.list, after: [tellNext] },
        search: { isAccessible: may(read) },
        show: { isAccessible: may(read), component: views.show },
        new: source.create
          ? { isAccessible: may(write), ...(views.new ? { component: views.new } : {}) }
          : never,
        edit: source.edit
          ? { isAccessible: may(write), ...(views.edit ? { component: views.edit } : {}) }
          : never,
        delete: source.remove ? { isAccessible: may(write) } : never,
        // Many at once are an operation, which can be watched and stopped.
        bulkDelete: never,
      },
    },
  }
}

/** The document of a page knows of its viewer only the role; the API knows the caller. */
export function mayAdmin(
  admin: { caller?: Caller; role?: Role } | Record<string, unknown> | undefined,
  scope: Scope,
): boolean {
  if (!admin) return false
  const { caller, role } = admin as { caller?: Caller; role?: Role }
  if (caller) return mayDo(caller, scope)
  const scopes = role && Object.hasOwn(ROLE_SCOPES, role) ? ROLE_SCOPES[role] : []
  return scopes.includes('*') || scopes.includes(scope)
}

/** The cursor of the page behind, beside AdminJS's own words about the page. */
function tellNext(response: ActionResponse, _request: ActionRequest, context: ActionContext): ActionResponse {
  const next = (context as ListContext).rowbeatNext ?? null
  return { ...response, meta: { ...(response.meta as object), next } }
}
