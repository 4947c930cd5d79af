/** Schedules from a file, as export makes it: all or none. Names that stand are refused, left alone, or replaced, as one chooses. */
import { useState, type ReactNode } from 'react'
import {
  Button,
  client,
  Dialog,
  explain,
  Field,
  notify,
  Select,
  t,
  TextArea,
  Trouble,
  type Refusal,
} from '../kit/kit.ts'

type File = Parameters<typeof client.importSchedules>[0]

export function ImportButton({ onDone }: { onDone: () => void }): ReactNode {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button kind="quiet" onClick={() => setOpen(true)}>
        {t('schedules.import')}
      </Button>
      {isOpen ? (
        <ImportDialog
          close={(isDone) => {
            setOpen(false)
            if (isDone) onDone()
          }}
        />
      ) : null}
    </>
  )
}

function ImportDialog({ close }: { close: (isDone: boolean) => void }): ReactNode {
  const [text, setText] = useState('')
  const [mode, setMode] = useState('')
  const [error, setError] = useState<Refusal | null>(null)
  const [busy, setBusy] = useState(false)
  const send = async (): Promise<void> => {
    setBusy(true)
    try {
      const query = mode ? { query: { mode } } : {}
      const { created, replaced, skipped } = await client.importSchedules(JSON.parse(text) as File, query)
      notify('success', t('schedules.imported', { created, replaced, skipped }))
      close(true)
    } catch (refused) {
      setError(explain(refused))
      setBusy(false)
    }
  }
  return (
    <Dialog wide title={t('schedules.import')} onClose={() => close(false)}>
      <div className="rb-fields">
        <label className="rb-field">
          <span className="rb-label">{t('schedules.file')}</span>
          <input
            type="file"
            accept="application/json,.json"
            onChange={(event) => void event.target.files?.[0]?.text().then(setText)}
          />
        </label>
        <Field label={t('schedules.fileText')}>
          <TextArea className="rb-mono" rows={8} value={text} onChange={setText} />
        </Field>
        <Field label={t('schedules.standing')}>
          <Select
            value={mode}
            options={[
              { value: '', label: t('schedules.modeRefuse') },
              { value: 'skip', label: t('schedules.modeSkip') },
              { value: 'replace', label: t('schedules.modeReplace') },
            ]}
            onChange={setMode}
          />
        </Field>
        {error ? <Trouble error={error} /> : null}
      </div>
      <div className="rb-dialog-actions">
        <Button onClick={() => close(false)}>{t('kit.cancel')}</Button>
        <Button kind="primary" busy={busy} disabled={text.trim() === ''} onClick={() => void send()}>
          {t('schedules.import')}
        </Button>
      </div>
    </Dialog>
  )
}
