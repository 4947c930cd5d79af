/** The fields of a schedule beside its timing. Each fault stands at its field, by the pointer that the server gives. */
import type { ReactNode } from 'react'
import {
  Check,
  Field,
  freshValue,
  Input,
  JsonField,
  SchemaForm,
  Select,
  t,
  TextArea,
  type Choice,
  type TaskDocument,
  type TextKey,
} from '../kit/kit.ts'
import type { Draft } from './draft.ts'
import { InstantField } from './instant-field.tsx'
import type { Faults } from './timing.tsx'

export interface FieldsProps {
  draft: Draft
  onChange: (changes: Partial<Draft>) => void
  faults: Faults
}

export function NameFields({
  draft,
  onChange,
  faults,
  tasks,
}: FieldsProps & { tasks: readonly TaskDocument[] }): ReactNode {
  const names = tasks.map(({ name }) => name)
  const known = draft.task === '' || names.includes(draft.task) ? names : [draft.task, ...names]
  const choose = (task: string): void => {
    const isUntouched = JSON.stringify(draft.input) === '{}'
    const schema = tasks.find(({ name }) => name === task)?.input_schema
    onChange({ task, ...(isUntouched ? { input: freshValue(schema) } : {}) })
  }
  return (
    <div className="rb-fields">
      <Field label={t('schedules.name')} error={faults['/name']} required>
        <Input value={draft.name} maxLength={200} onChange={(name) => onChange({ name })} />
      </Field>
      <Field label={t('schedules.task')} hint={t('schedules.taskHint')} error={faults['/task']} required>
        <Select
          value={draft.task}
          options={[
            { value: '', label: t('schedules.chooseTask') },
            ...known.map((name) => ({ value: name, label: name })),
          ]}
          onChange={choose}
        />
      </Field>
      <Field label={t('schedules.description')} error={faults['/description']}>
        <TextArea rows={2} value={draft.description} onChange={(description) => onChange({ description })} />
      </Field>
      <Check
        label={t('schedules.enabled')}
        checked={draft.enabled}
        onChange={(enabled) => onChange({ enabled })}
      />
    </div>
  )
}

export function InputFields({
  draft,
  onChange,
  faults,
  schema,
  onValid,
}: FieldsProps & { schema: unknown; onValid: (isValid: boolean) => void }): ReactNode {
  return (
    <SchemaForm
      key={draft.task}
      label={t('schedules.input')}
      schema={schema}
      value={draft.input}
      onChange={(input) => onChange({ input })}
      errors={faults}
      pointer="/input"
      onValid={onValid}
    />
  )
}

export function RunFields({ draft, onChange, faults }: FieldsProps): ReactNode {
  const span = (field: 'expires' | 'jitter', label: string, hint: string): ReactNode => (
    <Field label={label} hint={hint} error={faults[`/${field}`]}>
      <Input
        value={draft[field]}
        placeholder={t('schedules.spanExample')}
        onChange={(text) => onChange({ [field]: text })}
      />
    </Field>
  )
  return (
    <div className="rb-fields">
      <div className="rb-fields-wide">
        <Field label={t('schedules.queue')} hint={t('schedules.queueHint')} error={faults['/queue']}>
          <Input value={draft.queue} onChange={(queue) => onChange({ queue })} />
        </Field>
        <Field label={t('schedules.priority')} hint={t('schedules.priorityHint')} error={faults['/priority']}>
          <Input inputMode="numeric" value={draft.priority} onChange={(priority) => onChange({ priority })} />
        </Field>
        <Field label={t('schedules.tags')} hint={t('schedules.tagsHint')} error={faults['/tags']}>
          <Input value={draft.tags} onChange={(tags) => onChange({ tags })} />
        </Field>
        {span('expires', t('schedules.expires'), t('schedules.expiresHint'))}
        {span('jitter', t('schedules.jitter'), t('schedules.jitterHint'))}
      </div>
      <JsonField
        label={t('schedules.headers')}
        error={faults['/headers']}
        value={draft.headers}
        rows={3}
        onChange={(headers) => onChange({ headers })}
      />
    </div>
  )
}

const OVERLAPS = {
  allow: 'schedules.overlapAllow',
  skip: 'schedules.overlapSkip',
  buffer_one: 'schedules.overlapBuffer',
  cancel_other: 'schedules.overlapCancel',
} as const
const CATCH_UPS = {
  last: 'schedules.catchUpLast',
  all: 'schedules.catchUpAll',
  skip: 'schedules.catchUpSkip',
} as const
const choices = (words: Readonly<Record<string, TextKey>>): Choice[] =>
  Object.entries(words).map(([value, key]) => ({ value, label: t(key) }))

export function LimitFields({ draft, onChange, faults }: FieldsProps): ReactNode {
  const count = (field: 'firings_max' | 'failures_max', label: string, hint: string): ReactNode => (
    <Field label={label} hint={hint} error={faults[`/${field}`]}>
      <Input inputMode="numeric" value={draft[field]} onChange={(text) => onChange({ [field]: text })} />
    </Field>
  )
  return (
    <div className="rb-fields">
      <div className="rb-fields-wide">
        <InstantField
          label={t('schedules.startAt')}
          error={faults['/start_at']}
          value={draft.start_at}
          onChange={(start_at) => onChange({ start_at })}
        />
        <InstantField
          label={t('schedules.endAt')}
          error={faults['/end_at']}
          value={draft.end_at}
          onChange={(end_at) => onChange({ end_at })}
        />
        <Field label={t('schedules.overlap')} hint={t('schedules.overlapHint')} error={faults['/overlap']}>
          <Select
            value={draft.overlap}
            options={choices(OVERLAPS)}
            onChange={(overlap) => onChange({ overlap })}
          />
        </Field>
        <Field label={t('schedules.catchUp')} hint={t('schedules.catchUpHint')} error={faults['/catch_up']}>
          <Select
            value={draft.catch_up}
            options={choices(CATCH_UPS)}
            onChange={(catch_up) => onChange({ catch_up })}
          />
        </Field>
        <Field
          label={t('schedules.window')}
          hint={t('schedules.windowHint')}
          error={faults['/catch_up_window']}
        >
          <Input
            value={draft.catch_up_window}
            placeholder={t('schedules.spanExample')}
            onChange={(catch_up_window) => onChange({ catch_up_window })}
          />
        </Field>
        {count('firings_max', t('schedules.firingsMax'), t('schedules.firingsMaxHint'))}
        {count('failures_max', t('schedules.failuresMax'), t('schedules.failuresMaxHint'))}
      </div>
      <Check
        label={t('schedules.oneOff')}
        checked={draft.one_off || draft.timing.kind === 'clocked'}
        disabled={draft.timing.kind === 'clocked'}
        onChange={(one_off) => onChange({ one_off })}
      />
    </div>
  )
}
