/**
 * The pages of the import: the form, and one page for each import that shows it going on and how it ended.
 */
import { html, type Html } from '../web/html.ts'
import type { Page } from '../web/layout.ts'
import type { ImportRun } from './events.ts'
import { showRun } from './events.ts'
import type { ImportResult } from './tasks.ts'

export interface RecentImport {
  runId: string
  name: string
  createdAt: string
  state: string | null
  imported: number | null
}

export interface ShelvedBook {
  title: string
  author: string
  year: number
}

const numbers = new Intl.NumberFormat('en')

export function importPage(recent: readonly RecentImport[], shelf: readonly ShelvedBook[]): Page {
  return {
    title: 'Import books',
    path: '/import',
    body: html`
      <h1>Import books</h1>
      <p class="lead">
        A CSV file of any length goes into the table <code>examples.books</code> while you watch. The worker
        does the work; this page only asks for it.
      </p>
      <section class="sheet" aria-labelledby="own">
        <h2 id="own">Your own file</h2>
        <form method="post" action="/import" enctype="multipart/form-data" data-busy="Uploading …">
          <div class="field">
            <label for="file">CSV file</label>
            <input
              id="file"
              name="file"
              type="file"
              accept=".csv,text/csv"
              required
              aria-describedby="file-help"
            />
            <small id="file-help">
              UTF-8, at most 20 MB. The first line names the columns <code>title</code>,
              <code>author</code> and <code>year</code>, in any order; further columns are left out.
            </small>
          </div>
          ${onErrorChoice()}
          <div class="field">
            <label for="email">Mail the report to <span class="soft">(if you like)</span></label>
            <input id="email" name="email" type="email" autocomplete="email" maxlength="254" />
          </div>
          <button type="submit">Import</button>
        </form>
      </section>
      <section class="sheet" aria-labelledby="sample">
        <h2 id="sample">No file at hand?</h2>
        <p>
          The repository has one with three Ukrainian classics: <cite lang="uk">Кобзар</cite>,
          <cite lang="uk">Лісова пісня</cite> and <cite lang="uk">Захар Беркут</cite>.
        </p>
        <form method="post" action="/import/sample" data-busy="Asking …">
          <button type="submit" class="quiet">Import data/books.csv</button>
        </form>
      </section>
      ${recentImports(recent)} ${bookShelf('Latest books', shelf)}
    `,
  }
}

export function runPage(name: string | null, run: ImportRun, shelf: readonly ShelvedBook[]): Page {
  const { finished, label } = showRun(run)
  const file = name ?? 'Import'
  return {
    title: `${label}: ${file}`,
    path: '/import',
    // Without scripts the page asks again by itself until the run has finished.
    head: finished ? undefined : html`<noscript><meta http-equiv="refresh" content="1" /></noscript>`,
    body: html`
      <h1>${file}</h1>
      ${finished ? outcome(run) : going(run)} ${bookShelf('From this file', shelf)}
      <p><a href="/import">Import another file</a></p>
    `,
  }
}

function onErrorChoice(): Html {
  return html`<fieldset>
    <legend>When a row is broken</legend>
    <label class="choice"
      ><input type="radio" name="on_error" value="skip" checked /> Skip it, import the rest and list it by
      line</label
    >
    <label class="choice"
      ><input type="radio" name="on_error" value="stop" /> Stop there and import nothing of the file</label
    >
  </fieldset>`
}

function going(run: ImportRun): Html {
  const { label, progress } = showRun(run)
  const { current = 0, total = null, percent = null } = progress ?? {}
  return html`<section class="sheet live" aria-labelledby="label" data-events="/import/${run.id}/events">
    <p role="status"><span class="chip" id="label" data-part="label">${label}</span></p>
    <p class="percent" aria-hidden="true" data-part="percent">
      ${percent === null ? '' : `${Math.floor(percent)} %`}
    </p>
    <progress
      max="100"
      ${percent === null ? null : html`value="${percent}"`}
      aria-label="Progress of the import"
      data-part="bar"
    ></progress>
    <p class="count" data-part="count">
      ${total === null ? '' : `${numbers.format(current)} of ${numbers.format(total)} rows`}
    </p>
    <p class="soft" role="status" data-part="note"></p>
  </section>`
}

function outcome(run: ImportRun): Html {
  const { label, result } = showRun(run)
  const sql = `select state, result, finished_at - started_at as took
from rowbeat.results where id = '${run.id}';`
  return html`<section class="sheet" aria-labelledby="label">
      <p role="status"><span class="chip ${result ? 'good' : 'bad'}" id="label">${label}</span></p>
      ${
        result
          ? html`<dl class="figures">
              ${figure(result.imported, result.imported === 1 ? 'book imported' : 'books imported')}
              ${figure(result.failed, result.failed === 1 ? 'row refused' : 'rows refused')}
              ${figure(seconds(run), 'seconds')}
            </dl>`
          : html`<p class="refusal">${failureText(run)}</p>`
      }
      <p>The result is a row, and stays one:</p>
      <pre><code>${sql}</code></pre>
    </section>
    ${result && result.errors.length > 0 ? brokenRows(result) : null}`
}

function figure(value: number, what: string): Html {
  return html`<div>
    <dt>${what}</dt>
    <dd>${numbers.format(value)}</dd>
  </div>`
}

function seconds({ startedAt, finishedAt }: ImportRun): number {
  const ms = Date.parse(finishedAt ?? '') - Date.parse(startedAt ?? '')
  return Math.round(ms / 100) / 10 || 0
}

/** What a task says when it gives up is meant for people; any other error is for the log. */
function failureText(run: ImportRun): string {
  if (run.state === 'REVOKED') return 'The import was stopped before it had finished; nothing of it was kept.'
  if (run.reason === 'discarded' && run.error) return `${run.error.message}.`
  return `The import failed and nothing of it was kept. The error is stored with run ${run.id}.`
}

function brokenRows({ failed, errors }: ImportResult): Html {
  const unlisted = failed - errors.length
  return html`<section class="sheet" aria-labelledby="broken">
    <h2 id="broken">Refused rows</h2>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">Line</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          ${errors.map(
            ({ line, message }) =>
              html`<tr>
                <td class="number">${line}</td>
                <td>${message}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${unlisted > 0 && html`<p class="soft">and ${numbers.format(unlisted)} more</p>`}
  </section>`
}

function recentImports(recent: readonly RecentImport[]): Html | null {
  if (recent.length === 0) return null
  return html`<section class="sheet" aria-labelledby="recent">
    <h2 id="recent">Latest imports</h2>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">File</th>
            <th scope="col">State</th>
            <th scope="col" class="number">Books</th>
            <th scope="col" class="spare">When</th>
          </tr>
        </thead>
        <tbody>
          ${recent.map(
            ({ runId, name, createdAt, state, imported }) =>
              html`<tr>
                <td><a href="/import/${runId}">${name}</a></td>
                <td>${stateChip(state)}</td>
                <td class="number">${imported === null ? '' : numbers.format(imported)}</td>
                <td class="spare">
                  <time datetime="${createdAt}">${createdAt.slice(0, 16).replace('T', ' ')} UTC</time>
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`
}

export function stateChip(state: string | null): Html {
  const kind = state === 'SUCCESS' ? 'good' : state === 'FAILURE' || state === 'REVOKED' ? 'bad' : ''
  return html`<span class="chip ${kind}">${state ?? 'expired'}</span>`
}

function bookShelf(heading: string, shelf: readonly ShelvedBook[]): Html | null {
  if (shelf.length === 0) return null
  return html`<section class="sheet" aria-labelledby="shelf">
    <h2 id="shelf">${heading}</h2>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Title</th>
            <th scope="col">Author</th>
            <th scope="col" class="number">Year</th>
          </tr>
        </thead>
        <tbody>
          ${shelf.map(
            ({ title, author, year }) =>
              html`<tr>
                <td>${title}</td>
                <td>${author}</td>
                <td class="number">${year}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`
}
