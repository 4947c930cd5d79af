/**
 * The list of tasks as a Django REST framework view gives it: filters (django-filter), search, ordering, pages
 * of five by number. A parameter that makes no sense there makes none here: an ordering by an unknown field is
 * passed over, and only a page that is not there is refused.
 */
import { and, asc, count, desc, eq, ilike, or, sql, type SQL } from 'drizzle-orm'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { users } from '../users/schema.ts'
import { ApiRefusal } from '../web/api-refusal.ts'
import { tasks } from './schema.ts'
import type { TaskRow } from './signals.ts'

export const PAGE_SIZE = 5

/** A task as the API tells it. */
export interface ShownTask {
  id: number
  title: string
  description: string
  completed: boolean
  owner: string
  created_at: string
  updated_at: string
}

export interface TaskPage {
  count: number
  next: string | null
  previous: string | null
  results: ShownTask[]
}

/** Values of a query; of several of one name the last counts. */
export type Query = Readonly<Record<string, string | string[] | undefined>>

const FIELDS = {
  id: tasks.id,
  title: tasks.title,
  completed: tasks.completed,
  owner: users.username,
  created_at: tasks.createdAt,
  updated_at: tasks.updatedAt,
}
const FLAGS: Record<string, boolean> = { true: true, '1': true, false: false, '0': false }
const TERMS_MAX = 10

/** `address` is the list's own, for the links to other pages. Throws ApiRefusal 404 for a page that is not there. */
export async function listTasks(db: PostgresJsDatabase, query: Query, address: string): Promise<TaskPage> {
  const where = and(...filtersOf(query))
  const joined = eq(users.id, tasks.ownerId)
  const counted = await db.select({ count: count() }).from(tasks).innerJoin(users, joined).where(where)
  const total = counted[0]!.count
  const pages = Math.max(1, Math.ceil(total / PAGE_SIZE))
  const page = readPage(lastOf(query, 'page'), pages)
  const rows = await db
    .select({ task: tasks, owner: users.username })
    .from(tasks)
    .innerJoin(users, joined)
    .where(where)
    .orderBy(...orderOf(lastOf(query, 'ordering')))
    .limit(PAGE_SIZE)
    .offset((page - 1) * PAGE_SIZE)
  return {
    count: total,
    next: page < pages ? linkTo(address, query, page + 1) : null,
    previous: page > 1 ? linkTo(address, query, page - 1) : null,
    results: rows.map(({ task, owner }) => showTask(task, owner)),
  }
}

export function showTask(task: TaskRow, owner: string): ShownTask {
  const { id, title, description, completed, createdAt, updatedAt } = task
  return {
    id,
    title,
    description,
    completed,
    owner,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  }
}

function filtersOf(query: Query): (SQL | undefined)[] {
  const completed = FLAGS[lastOf(query, 'completed').toLowerCase()]
  const owner = lastOf(query, 'owner')
  return [
    completed === undefined ? undefined : eq(tasks.completed, completed),
    owner === '' ? undefined : or(eq(users.username, owner), eq(sql`${users.id}::text`, owner)),
    ...termsOf(lastOf(query, 'search')).map((term) =>
      or(ilike(tasks.title, term), ilike(tasks.description, term)),
    ),
  ]
}

/** Each word, or quoted words, has to be found. */
function termsOf(search: string): string[] {
  const words = [...search.matchAll(/"([^"]+)"|([^\s,"]+)/g)].map(([, quoted, word]) => quoted ?? word!)
  return words.slice(0, TERMS_MAX).map((word) => `%${word.replace(/[\\%_]/g, '\\$&')}%`)
}

/** Tasks that are equal in this come by id, so that no page shows one of the page before. */
function orderOf(ordering: string): SQL[] {
  const asked = ordering.split(',').flatMap((word) => {
    const name = word.trim()
    const isDown = name.startsWith('-')
    const field = name.slice(isDown ? 1 : 0)
    if (!Object.hasOwn(FIELDS, field)) return []
    const column = FIELDS[field as keyof typeof FIELDS]
    return [isDown ? desc(column) : asc(column)]
  })
  return [...asked, asc(tasks.id)]
}

function readPage(text: string, pages: number): number {
  const page = text === '' ? 1 : text === 'last' ? pages : /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (page >= 1 && page <= pages) return page
  throw new ApiRefusal(404, { detail: 'Invalid page.' })
}

function linkTo(address: string, query: Query, page: number): string {
  const words = Object.keys(query)
    .filter((name) => name !== 'page')
    .map((name): [string, string] => [name, lastOf(query, name)])
  if (page > 1) words.push(['page', String(page)])
  const search = new URLSearchParams(words.toSorted(([a], [b]) => (a < b ? -1 : 1))).toString()
  return search === '' ? address : `${address}?${search}`
}

/** Postgres stores no NUL, so nothing there has one. */
function lastOf(query: Query, name: string): string {
  const value = Object.hasOwn(query, name) ? query[name] : undefined
  return (Array.isArray(value) ? (value.at(-1) ?? '') : (value ?? '')).replaceAll('\0', '')
}
