/** Addresses within the panel, of what the figures are about. */
export const queuePlace = (name: string): string =>
  `/resources/queues/records/${encodeURIComponent(name)}/show`
export const workerPlace = (name: string): string =>
  `/resources/workers/records/${encodeURIComponent(name)}/show`
export const runPlace = (id: string): string => `/resources/runs/records/${id}/show`
export const schedulePlace = (id: string, action: 'show' | 'edit' = 'show'): string =>
  `/resources/schedules/records/${id}/${action}`

/** The list of runs by states and words of a search. */
export function runsPlace({ state, q }: { state?: string; q?: string }): string {
  const query = new URLSearchParams({ ...(q ? { q } : {}), ...(state ? { state } : {}) })
  return `/resources/runs${query.size > 0 ? `?${query}` : ''}`
}

/** Where the panel shows what an address of the API is about; null where it has no page for it. */
export function placeOfLink(link: string): string | null {
  const [path = '', query = ''] = link.split('?')
  const [, noun, id] = /^\/v1\/([a-z]+)(?:\/([^/]+))?$/.exec(path) ?? []
  if (noun === 'runs' && !id) {
    const { q, state, queue, task } = Object.fromEntries(new URLSearchParams(query))
    const words = [q, queue && `queue:${queue}`, task && `task:${task}`]
    return runsPlace({ state, q: words.filter(Boolean).join(' ') })
  }
  if (noun === 'operations' && id) return `/resources/runs?op=${id}`
  if (noun === 'workers' && !id) return '/resources/workers'
  if (noun === 'queues' && id) return queuePlace(decodeURIComponent(id))
  if (noun === 'schedules' && id) return schedulePlace(id)
  return null
}

/** A value of a search, in quotes. */
export const quoted = (value: string): string => `"${value.replaceAll(/["\\]/g, '\\$&')}"`
