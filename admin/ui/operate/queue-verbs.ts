/**
 * What is done to a queue from the list and from its page: asks where it should, does the documented verb, says what came of it.
 * False: nothing was done.
 */
import { client, confirm, countText, localeTag, notify, t, type OperationDocument } from '../kit/kit.ts'

export async function resume(name: string): Promise<boolean> {
  return await done(client.resumeQueue(name), t('queues.resumed', { name }))
}

export async function drain(name: string): Promise<boolean> {
  const yes = await confirm({
    title: t('queues.drainAsk', { name }),
    text: t('queues.drainText'),
    action: t('queues.drain'),
  })
  return yes !== null && (await done(client.drainQueue(name), t('queues.draining', { name })))
}

/** The operation that revokes what waits, or null. */
export async function purge(
  name: string,
  waiting: number,
  capped: boolean,
): Promise<OperationDocument | null> {
  const yes = await confirm({
    title: t('queues.purgeAsk', { name }),
    text: t('queues.purgeText', { count: countText(waiting, localeTag(), capped) }),
    danger: true,
    reason: true,
    word: name,
    action: t('queues.purge'),
  })
  if (!yes) return null
  return await client.purgeQueue(name, { ...yes }).catch((error: unknown) => {
    notify('error', error)
    return null
  })
}

export async function remove(name: string): Promise<boolean> {
  const yes = await confirm({
    title: t('queues.removeAsk', { name }),
    text: t('queues.removeText'),
    danger: true,
    action: t('queues.remove'),
  })
  return yes !== null && (await done(client.deleteQueue(name), t('queues.removed', { name })))
}

export async function done(work: Promise<unknown>, words: string): Promise<boolean> {
  try {
    await work
    notify('success', words)
    return true
  } catch (error) {
    notify('error', error)
    return false
  }
}
