/**
 * The crontab half of schedules, as the rest of the code sees it. Text becomes a spec (crontab-spec, crontab-line, crontab-field),
 * a spec becomes matching wall times (crontab-wall) and those become instants on a zone's clock (crontab-clock, zone); what a
 * person gets to see of it is words (crontab-words) and a preview (crontab-preview).
 */
export { createCrontabClock, type CrontabClock } from './crontab-clock.ts'
export { parseCronLine } from './crontab-line.ts'
export { previewCrontab, type Preview, type PreviewRun } from './crontab-preview.ts'
export { fieldsOf, readCrontab, type CrontabSpec } from './crontab-spec.ts'
