/**
 * The page of orders: a form, and the latest orders with what became of their mails. Addresses are shown in
 * part, because the page is open to everybody.
 */
import { maskAddress } from '../web/email.ts'
import { html } from '../web/html.ts'
import type { Page } from '../web/layout.ts'

export interface ShownOrder {
  id: number
  email: string
  confirmed: boolean
}

export function ordersPage(latest: readonly ShownOrder[], placed: number | null): Page {
  const waiting = latest.some(({ id, confirmed }) => id === placed && !confirmed)
  return {
    title: 'Orders',
    path: '/orders',
    // Until the order just placed is confirmed, the page asks again by itself.
    head: waiting ? html`<meta http-equiv="refresh" content="1" />` : undefined,
    body: html`
      <h1>Orders</h1>
      <p class="lead">
        An order and the run that mails its confirmation are one transaction: both are there, or neither is.
        The mail goes to the server in <code>SMTP_URL</code>, or to the console of <code>npm start</code>.
      </p>
      <section class="sheet" aria-labelledby="new">
        <h2 id="new">A new order</h2>
        <form method="post" action="/orders" data-busy="Ordering …">
          <div class="field">
            <label for="email">Mail address</label>
            <input id="email" name="email" type="email" autocomplete="email" maxlength="254" required />
          </div>
          <button type="submit">Order</button>
        </form>
      </section>
      <section class="sheet" aria-labelledby="latest">
        <h2 id="latest">Latest orders</h2>
        ${latest.length === 0 ? html`<p class="soft">None yet.</p>` : orderTable(latest)}
      </section>
    `,
  }
}

function orderTable(latest: readonly ShownOrder[]) {
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          <th scope="col" class="number">Order</th>
          <th scope="col">For</th>
          <th scope="col">Mail</th>
        </tr>
      </thead>
      <tbody>
        ${latest.map(
          ({ id, email, confirmed }) =>
            html`<tr>
              <td class="number">${id}</td>
              <td>${maskAddress(email)}</td>
              <td>
                <span class="chip ${confirmed && 'good'}">${confirmed ? 'sent' : 'waiting'}</span>
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}
