/** When it is due: the kind, and the fields of that kind. Faults come by pointer from the server, from the preview as from the save. */
import { useId, type ReactNode } from 'react'
import { Button, Field, Input, Select, t } from '../kit/kit.ts'
import { KINDS, type Draft, type Kind, type TimingDraft } from './draft.ts'
import { InstantField } from './instant-field.tsx'

export type Faults = Readonly<Record<string, string>>

interface Part {
  timing: TimingDraft
  set: (changes: Partial<TimingDraft>) => void
  faults: Faults
}

export function TimingFields({
  draft,
  onChange,
  faults,
}: {
  draft: Draft
  onChange: (changes: Partial<Draft>) => void
  faults: Faults
}): ReactNode {
  const { timing } = draft
  const set = (changes: Partial<TimingDraft>): void => onChange({ timing: { ...timing, ...changes } })
  const part = { timing, set, faults }
  return (
    <div className="rb-fields">
      <fieldset className="rb-kinds">
        <legend className="rb-label">{t('schedules.kind')}</legend>
        {KINDS.map((kind) => (
          <label key={kind} className="rb-kind">
            <input
              type="radio"
              name="kind"
              value={kind}
              checked={timing.kind === kind}
              onChange={() => set({ kind })}
            />
            <span>{t(`schedules.${kind}`)}</span>
          </label>
        ))}
      </fieldset>
      <KindFields kind={timing.kind} {...part} />
      {timing.kind === 'interval' ? (
        <InstantField
          label={t('schedules.anchorAt')}
          hint={t('schedules.anchorHint')}
          error={faults['/anchor_at']}
          value={draft.anchor_at}
          onChange={(anchor_at) => onChange({ anchor_at })}
        />
      ) : null}
      {faults['/schedule'] ? <p className="rb-fault">{faults['/schedule']}</p> : null}
    </div>
  )
}

function KindFields({ kind, ...part }: Part & { kind: Kind }): ReactNode {
  if (kind === 'interval') return <IntervalFields {...part} />
  if (kind === 'solar') return <SolarFields {...part} />
  if (kind === 'crontab') return <CrontabFields {...part} />
  return (
    <InstantField
      label={t('schedules.at')}
      hint={t('schedules.yourZone', { zone: viewerZone() })}
      error={part.faults['/schedule/at']}
      value={part.timing.at}
      onChange={(at) => part.set({ at })}
    />
  )
}

const PERIODS = ['milliseconds', 'seconds', 'minutes', 'hours', 'days', 'weeks', 'months', 'years'] as const

function IntervalFields({ timing, set, faults }: Part): ReactNode {
  return (
    <div className="rb-fields-wide">
      <Field label={t('schedules.every')} error={faults['/schedule/every']} required>
        <Input inputMode="decimal" value={timing.every} onChange={(every) => set({ every })} />
      </Field>
      <Field label={t('schedules.period')} error={faults['/schedule/period']}>
        <Select
          value={timing.period}
          options={PERIODS.map((value) => ({ value, label: t(`schedules.${value}`) }))}
          onChange={(period) => set({ period })}
        />
      </Field>
    </div>
  )
}

const FIELDS = ['minute', 'hour', 'day_of_month', 'month_of_year', 'day_of_week'] as const
/** Minute, hour, day of month, month, day of week. */
const PRESETS = {
  hourly: '0 * * * *',
  daily: '0 3 * * *',
  weekdays: '0 9 * * 1-5',
  weekly: '0 3 * * 1',
  monthly: '0 3 1 * *',
} as const

function CrontabFields({ timing, set, faults }: Part): ReactNode {
  const preset = (line: string): void => {
    const parts = line.split(' ')
    set(Object.fromEntries(FIELDS.map((field, i) => [field, parts[i]!])))
  }
  return (
    <>
      <div className="rb-row" role="group" aria-label={t('schedules.presets')}>
        {Object.entries(PRESETS).map(([name, line]) => (
          <Button key={name} kind="quiet" onClick={() => preset(line)}>
            {t(`schedules.${name as keyof typeof PRESETS}`)}
          </Button>
        ))}
      </div>
      <div className="rb-cron">
        {FIELDS.map((field) => (
          <Field key={field} label={t(`schedules.${field}`)} error={faults[`/schedule/${field}`]}>
            <Input className="rb-mono" value={timing[field]} onChange={(text) => set({ [field]: text })} />
          </Field>
        ))}
      </div>
      <div className="rb-fields-wide">
        <ZoneField
          value={timing.timezone}
          error={faults['/schedule/timezone']}
          onChange={(timezone) => set({ timezone })}
        />
        <Field label={t('schedules.mode')} hint={t('schedules.modeHint')} error={faults['/schedule/mode']}>
          <Select
            value={timing.mode}
            options={[
              { value: 'celery', label: t('schedules.modeCelery') },
              { value: 'cron', label: t('schedules.modeCron') },
            ]}
            onChange={(mode) => set({ mode })}
          />
        </Field>
      </div>
    </>
  )
}

function ZoneField({
  value,
  error,
  onChange,
}: {
  value: string
  error?: string
  onChange: (zone: string) => void
}): ReactNode {
  const id = useId()
  return (
    <>
      <Field label={t('schedules.zone')} hint={t('schedules.zoneHint')} error={error}>
        <Input value={value} list={id} onChange={onChange} />
      </Field>
      <datalist id={id}>
        {['UTC', ...Intl.supportedValuesOf('timeZone')].map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </>
  )
}

const EVENTS = [
  'dawn_astronomical',
  'dawn_nautical',
  'dawn_civil',
  'sunrise',
  'solar_noon',
  'sunset',
  'dusk_civil',
  'dusk_nautical',
  'dusk_astronomical',
] as const

function SolarFields({ timing, set, faults }: Part): ReactNode {
  return (
    <div className="rb-fields-wide">
      <Field label={t('schedules.event')} error={faults['/schedule/event']}>
        <Select
          value={timing.event}
          options={EVENTS.map((value) => ({ value, label: t(`schedules.${value}`) }))}
          onChange={(event) => set({ event })}
        />
      </Field>
      {(['latitude', 'longitude'] as const).map((field) => (
        <Field
          key={field}
          label={t(`schedules.${field}`)}
          hint={t(`schedules.${field}Hint`)}
          error={faults[`/schedule/${field}`]}
          required
        >
          <Input inputMode="decimal" value={timing[field]} onChange={(text) => set({ [field]: text })} />
        </Field>
      ))}
    </div>
  )
}

export function viewerZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}
