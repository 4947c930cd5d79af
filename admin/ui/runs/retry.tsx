/** The same run again with another input: a form by the task's schema, and what the task refuses beside the field it refuses. */
import { useState, type ReactNode } from 'react'
import {
  Button,
  client,
  Dialog,
  explain,
  go,
  Loading,
  notify,
  SchemaForm,
  t,
  useLoad,
  type RunDocument,
} from '../kit/kit.ts'
import { runPath } from './columns.tsx'

export function RetryDialog({ run, onClose }: { run: RunDocument; onClose: () => void }): ReactNode {
  const [input, setInput] = useState<unknown>(run.input)
  const [faults, setFaults] = useState<Record<string, string>>({})
  const [isValid, setValid] = useState(true)
  const [busy, setBusy] = useState(false)
  // A task that nobody has any more has no schema: its input is edited as JSON.
  const schema = useLoad(async () => {
    const { items } = await client.listTasks()
    return { of: (items.find(({ name }) => name === run.task)?.input_schema ?? null) as unknown }
  }, [run.task])
  const send = async (): Promise<void> => {
    setBusy(true)
    try {
      const again = await client.retryRun(run.id, { input })
      notify('success', t('runs.newRun'))
      onClose()
      go(runPath(again.id))
    } catch (error) {
      const refusal = explain(error)
      setFaults(refusal.faults)
      if (Object.keys(refusal.faults).length === 0) notify('error', error)
      setBusy(false)
    }
  }
  return (
    <Dialog title={t('runs.retryTitle')} wide onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (isValid) void send()
        }}
      >
        {schema.value ? (
          <SchemaForm
            schema={schema.value.of}
            value={input}
            onChange={setInput}
            errors={faults}
            pointer={pointerOf(faults)}
            label={t('runs.input')}
            onValid={setValid}
          />
        ) : (
          <Loading />
        )}
        <div className="rb-dialog-actions">
          <Button onClick={onClose}>{t('kit.cancel')}</Button>
          <Button type="submit" kind="primary" busy={busy} disabled={!isValid || !schema.value}>
            {t('runs.retry')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** Faults of an input are told from the body on, or from the input itself. */
function pointerOf(faults: Record<string, string>): string {
  return Object.keys(faults).some((key) => key === '/input' || key.startsWith('/input/')) ? '/input' : ''
}
