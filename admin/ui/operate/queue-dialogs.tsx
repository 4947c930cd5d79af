/** Dialogs of a queue: to pause it with a reason and an end, to move what waits, to say its limits. */
import { useState, type ReactNode } from 'react'
import type { Duration } from '../../../src/duration.ts'
import {
  client,
  Field,
  Input,
  notify,
  Select,
  t,
  useLoad,
  type OperationDocument,
  type QueueDocument,
} from '../kit/kit.ts'
import { FormDialog, useForm, type Asking } from './form-dialog.tsx'

/** Lengths of a pause that are offered; '' is until somebody resumes it. */
const PAUSES: readonly [value: Duration | '', word: () => string][] = [
  ['', () => t('queues.forever')],
  ['15 minutes', () => t('queues.forMinutes', { count: 15 })],
  ['1 hour', () => t('queues.forHours', { count: 1 })],
  ['4 hours', () => t('queues.forHours', { count: 4 })],
  ['1 day', () => t('queues.forDay')],
]

export function PauseDialog({
  name,
  onClose,
  onDone,
}: Asking & { name: string; onDone: () => void }): ReactNode {
  const [reason, setReason] = useState('')
  const [length, setLength] = useState<Duration | ''>('')
  const form = useForm(async () => {
    await client.pauseQueue(name, {
      ...(reason.trim() ? { reason: reason.trim() } : {}),
      ...(length ? { for: length } : {}),
    })
    notify('success', t('queues.paused', { name }))
    onDone()
    onClose()
  })
  return (
    <FormDialog
      title={t('queues.pauseTitle', { name })}
      action={t('queues.pause')}
      form={form}
      onClose={onClose}
    >
      <p className="rb-dialog-text">{t('queues.pauseText')}</p>
      <Field label={t('kit.reason')} hint={t('kit.reasonHint')} error={form.fault('/reason')}>
        <Input value={reason} onChange={setReason} maxLength={500} />
      </Field>
      <Field label={t('queues.until')} error={form.fault('/for')}>
        <Select
          value={String(length)}
          onChange={(value) => setLength(value as Duration)}
          options={PAUSES.map(([value, word]) => ({ value: String(value), label: word() }))}
        />
      </Field>
    </FormDialog>
  )
}

export function MoveDialog({
  name,
  onClose,
  onBegun,
}: Asking & { name: string; onBegun: (operation: OperationDocument) => void }): ReactNode {
  const others = useLoad(() => client.listQueues(), [])
  const [to, setTo] = useState('')
  const form = useForm(async () => {
    onBegun(await client.moveQueue(name, { to }))
    onClose()
  })
  const names = others.value?.items.map((queue) => queue.name).filter((other) => other !== name) ?? []
  return (
    <FormDialog
      title={t('queues.moveTitle', { name })}
      action={t('queues.move')}
      form={form}
      isReady={to !== ''}
      onClose={onClose}
    >
      <Field label={t('queues.moveTo')} error={form.fault('/to')} required>
        <Input value={to} onChange={setTo} list="rb-queue-names" />
      </Field>
      <datalist id="rb-queue-names">
        {names.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </FormDialog>
  )
}

/** Of a new queue, or of one that stands. */
export function LimitsDialog({
  queue,
  onClose,
  onDone,
}: Asking & { queue: QueueDocument | null; onDone: (name: string) => void }): ReactNode {
  const [name, setName] = useState(queue?.name ?? '')
  const [limits, setLimits] = useState({
    concurrency: textOf(queue?.concurrency),
    rate: queue?.rate ?? '',
    rate_burst: textOf(queue?.rate_burst),
    hot_limit: textOf(queue?.hot_limit),
  })
  const form = useForm(async () => {
    const body = {
      concurrency: numberOf(limits.concurrency),
      rate: limits.rate.trim() || null,
      rate_burst: numberOf(limits.rate_burst),
      hot_limit: numberOf(limits.hot_limit),
    }
    if (queue) await client.editQueue(queue.name, body)
    else await client.defineQueue(name, body)
    notify('success', queue ? t('queues.saved') : t('queues.made', { name }))
    onDone(name)
    onClose()
  })
  const limit = (key: keyof typeof limits, label: string, hint: string): ReactNode => (
    <Field label={label} hint={hint} error={form.fault(`/${key}`)}>
      <Input
        inputMode={key === 'rate' ? 'text' : 'numeric'}
        value={limits[key]}
        onChange={(value) => setLimits({ ...limits, [key]: value })}
      />
    </Field>
  )
  return (
    <FormDialog
      title={queue ? `${t('queues.limits')}: ${queue.name}` : t('queues.new')}
      action={t('queues.save')}
      form={form}
      isReady={name !== ''}
      onClose={onClose}
    >
      <p className="rb-dialog-text">{t('queues.limitsLead')}</p>
      {queue ? null : (
        <Field label={t('queues.name')} error={form.fault('/name')} required>
          <Input value={name} onChange={setName} maxLength={32} />
        </Field>
      )}
      {limit('concurrency', t('queues.concurrency'), t('queues.concurrencyHint'))}
      {limit('rate', t('queues.rate'), t('queues.rateHint'))}
      {limit('rate_burst', t('queues.rateBurst'), t('queues.rateBurstHint'))}
      {limit('hot_limit', t('queues.hotLimit'), t('queues.hotLimitHint'))}
    </FormDialog>
  )
}

const textOf = (value: number | null | undefined): string => ((value ?? null) === null ? '' : String(value))

/** What is no number goes as it was typed: the server says what is wrong with it. */
function numberOf(text: string): number | null {
  const trimmed = text.trim()
  if (trimmed === '') return null
  const value = Number(trimmed)
  return Number.isNaN(value) ? (trimmed as unknown as number) : value
}
