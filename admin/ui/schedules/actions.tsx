/**
 * What is done to schedules from the list and from the page of one: each asks where it should, does the documented verb, says what
 * came of it, and has the page read anew. A verb that was refused changes nothing, and says why in the corner.
 */
import { useState, type ReactNode } from 'react'
import { confirm, client, go, notify, t, type ScheduleDocument } from '../kit/kit.ts'
import { InstantField } from './instant-field.tsx'

type Named = Pick<ScheduleDocument, 'id' | 'name' | 'version'>

/** Switches it on, or asks why it is to be off. False: nothing was done. */
export async function toggle(schedule: ScheduleDocument): Promise<boolean> {
  return schedule.enabled ? await pause(schedule) : await resume(schedule)
}

export async function pause({ id, name }: Named): Promise<boolean> {
  const chosen = { until: '' }
  const yes = await confirm({
    title: t('schedules.pauseTitle', { name }),
    text: <PauseWords onUntil={(at) => void Object.assign(chosen, { until: at })} />,
    reason: true,
    action: t('schedules.pause'),
  })
  if (!yes) return false
  const body = { reason: yes.reason, until: chosen.until || undefined }
  return await done(client.pauseSchedule(id, body), t('schedules.paused', { name }))
}

function PauseWords({ onUntil }: { onUntil: (at: string) => void }): ReactNode {
  const [until, setUntil] = useState('')
  return (
    <div className="rb-fields">
      <p>{t('schedules.pauseText')}</p>
      <InstantField
        label={t('schedules.pauseUntil')}
        hint={t('schedules.pauseUntilHint')}
        value={until}
        onChange={(at) => {
          setUntil(at)
          onUntil(at)
        }}
      />
    </div>
  )
}

export async function resume({ id, name }: Named): Promise<boolean> {
  return await done(client.resumeSchedule(id), t('schedules.resumed', { name }))
}

/** Shows the run it made. */
export async function runNow({ id, name }: Named): Promise<boolean> {
  try {
    const run = await client.runSchedule(id)
    notify('success', t('schedules.ran', { name }))
    go(`/resources/runs/records/${run.id}/show`)
    return true
  } catch (error) {
    notify('error', error)
    return false
  }
}

export async function remove(schedule: ScheduleDocument): Promise<boolean> {
  const { id, name, version, origin } = schedule
  const yes = await confirm({
    title: t('schedules.deleteTitle', { name }),
    text: t(origin === 'code' ? 'schedules.deleteCode' : 'schedules.deleteText'),
    danger: true,
    action: t('schedules.delete'),
  })
  if (!yes) return false
  return await done(client.deleteSchedule(id, { ifMatch: version }), t('schedules.deleted', { name }))
}

/** Back to what its code declares. */
export async function giveBack({ id, name }: Named): Promise<boolean> {
  const yes = await confirm({
    title: t('schedules.giveBackTitle', { name }),
    text: t('schedules.giveBackText'),
    reason: true,
    action: t('schedules.giveBack'),
  })
  if (!yes) return false
  return await done(client.revertSchedule(id, { reason: yes.reason }), t('schedules.gaveBack', { name }))
}

/** The same to many, one after another; how many it was done to is told once. */
export async function toAll<Item>(
  items: readonly Item[],
  question: Parameters<typeof confirm>[0],
  act: (item: Item, reason: string | undefined) => Promise<unknown>,
): Promise<boolean> {
  const yes = await confirm(question)
  if (!yes) return false
  const ended = await items.reduce<Promise<{ count: number; error: unknown }>>(
    async (before, item) => {
      const so = await before
      return await act(item, yes.reason).then(
        () => ({ ...so, count: so.count + 1 }),
        (error: unknown) => ({ ...so, error }),
      )
    },
    Promise.resolve({ count: 0, error: null }),
  )
  notify('success', t('schedules.doneTo', { count: ended.count }))
  if (ended.error) notify('error', ended.error)
  return true
}

async function done(asked: Promise<unknown>, words: string): Promise<boolean> {
  try {
    await asked
    notify('success', words)
    return true
  } catch (error) {
    notify('error', error)
    return false
  }
}
