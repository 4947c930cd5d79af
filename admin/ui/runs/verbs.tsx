/** What may be done with one run, as buttons: only what its state allows, and the viewer's role. */
import { useState, type ReactNode } from 'react'
import { Button, client, confirm, go, notify, t, useMe, type RunDocument } from '../kit/kit.ts'
import { isRunning, runPath } from './columns.tsx'
import { RetryDialog } from './retry.tsx'

export function Verbs({ run, onChange }: { run: RunDocument; onChange: () => void }): ReactNode {
  const { may } = useMe()
  const [busy, setBusy] = useState(false)
  const [isEditing, setEditing] = useState(false)
  if (!may('runs:write')) return null
  const isOver = run.finished_at !== null
  const isParked = run.state === 'SCHEDULED' || run.state === 'RETRY'

  const act = async (work: () => Promise<void>): Promise<void> => {
    setBusy(true)
    try {
      await work()
    } catch (error) {
      notify('error', error)
    }
    setBusy(false)
    onChange()
  }
  const retry = (): Promise<void> =>
    act(async () => {
      const again = await client.retryRun(run.id)
      notify('success', t(again.id === run.id ? 'runs.released' : 'runs.newRun'))
      if (again.id !== run.id) go(runPath(again.id))
    })
  const revoke = async (terminate: boolean): Promise<void> => {
    const yes = await confirm({
      title: t(terminate ? 'runs.terminateTitle' : 'runs.revokeTitle'),
      text: t(
        terminate ? 'runs.terminateText' : isRunning(run) ? 'runs.revokeRunning' : 'runs.revokeWaiting',
      ),
      danger: true,
      reason: true,
      action: t(terminate ? 'runs.terminate' : 'runs.revoke'),
    })
    if (!yes) return
    await act(async () => {
      const after = await client.revokeRun(run.id, {
        terminate,
        ...(yes.reason ? { reason: yes.reason } : {}),
      })
      notify('success', t(after.finished_at === null ? 'runs.asked' : 'runs.revoked'))
    })
  }
  const remove = async (): Promise<void> => {
    const yes = await confirm({
      title: t('runs.deleteTitle'),
      text: t('runs.deleteText'),
      danger: true,
      action: t('runs.delete'),
    })
    if (!yes) return
    await act(async () => {
      await client.deleteRun(run.id)
      notify('success', t('runs.deleted'))
      go('/resources/runs')
    })
  }
  return (
    <>
      {isOver ? (
        <>
          <Button kind="primary" busy={busy} onClick={() => void retry()}>
            {t('runs.retry')}
          </Button>
          <Button disabled={busy} onClick={() => setEditing(true)}>
            {t('runs.retryEdited')}
          </Button>
          <Button kind="danger" disabled={busy} onClick={() => void remove()}>
            {t('runs.delete')}
          </Button>
        </>
      ) : (
        <>
          {isParked ? (
            <Button kind="primary" busy={busy} onClick={() => void retry()}>
              {t('runs.runNow')}
            </Button>
          ) : null}
          <Button kind="danger" busy={busy} onClick={() => void revoke(false)}>
            {t('runs.revoke')}
          </Button>
          {isRunning(run) ? (
            <Button kind="danger" disabled={busy} onClick={() => void revoke(true)}>
              {t('runs.terminate')}
            </Button>
          ) : null}
        </>
      )}
      {isEditing ? <RetryDialog run={run} onClose={() => setEditing(false)} /> : null}
    </>
  )
}
