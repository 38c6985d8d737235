// The stage: clients, the kernel between everybody, the main, the workers, and the arrows of what is on its way.

import { element, refill, set_text, shade_of, svg } from './draw.mjs'
import { untold, waiting } from './state.mjs'
import { story } from './words.mjs'

const shown_for = 700 // ms of the spectator's time that an arrow stays when what it tells of is over
const is_loss = new Set(['died', 'broken', 'no_worker', 'spent', 'timeout'])
const most_clients = 8
const most_waiting = 6
const most_open = 12
const most_fds = 5
const most_fds_of_many = 2
const most_boxes = 12
const few_boxes = 4 // more of them stand in two columns
const most_vain_marks = 5

// "accepted 5 · handed over 5", broken at most between the two.
const sums = (...parts) => parts.filter(Boolean).map(part => part.replaceAll(' ', '\u00a0')).join(' · ')

export class stage {
  /// `signal(action, slot)`: somebody has pressed a worker's button.
  constructor(root, signal) {
    Object.assign(this, { root, signal, boxes: [] })
    for (const name of ['clients', 'kernel', 'main', 'workers']) this[name] = root.querySelector(`.${name}`)
    this.arrows = root.querySelector('.arrows')
  }

  /// `frozen`: slots that we have stopped. `can_signal`: whether there is a demo of our own.
  draw(player, words, { frozen, can_signal }) {
    const { state } = player
    // Stepping, only what the last event was about is new. As time goes by, what happened a moment ago is, too.
    const since = player.mode === 'paused' ? player.now : player.now - shown_for * 1000 * (player.mode === 'live' ? 1 : player.speed)
    set_text(this.root.querySelector('.story'), story(state, words))
    this.draw_clients(state, words)
    this.draw_kernel(state, words)
    this.draw_main(state, words, since)
    this.draw_workers(state, words, { since, frozen, can_signal })
    this.draw_arrows(state, words, since)
  }

  // Those that are open, and the last of those that are not.
  draw_clients(state, words) {
    const all = [...state.connections.values()]
    const open = all.filter(one => one.place !== 'closed')
    const room = Math.max(0, most_clients - open.length)
    const drawn = [...(room > 0 ? all.filter(one => one.place === 'closed').slice(-room) : []), ...open.slice(0, most_clients)].sort((a, b) => a.number - b.number)
    refill(this.clients.querySelector('ol'), words.title + drawn.map(one => `${one.conn} ${one.place} ${one.answered_by} ${one.reason}`).join(), () => drawn.map(one => {
      const ball = element('span', { class: 'ball' }, String(one.number))
      if (one.answered_by !== null) ball.style.borderColor = shade_of(one.answered_by)
      const lost = one.place === 'closed' && one.answered_by === null && is_loss.has(one.reason)
      const answered = one.answered_by === null ? '' : `← ${words.worker} ${one.answered_by}`
      const item = element('li', { class: `${one.place === 'closed' ? 'closed' : ''} ${lost ? 'lost' : ''}` }, ball, element('span', { class: 'after' }, one.conn.replace(/^.*:/, ':'), element('br'), answered))
      item.dataset.conn = one.conn
      return item
    }))
    const more = state.numbered - drawn.length
    set_text(this.clients.querySelector('.note'), state.numbered === 0 ? words.no_clients : more > 0 ? words.others(more) : '')
  }

  draw_kernel(state, words) {
    const { kernel } = this
    set_text(kernel.querySelector('.port'), state.port !== null && state.main && !state.main.gone ? `${words.port} ${state.port}` : words.no_port)
    const waits = waiting(state)
    refill(kernel.querySelector('.queue'), words.title + waits.map(one => one.number).join(), () => {
      const items = waits.slice(0, most_waiting).map(one => {
        const item = element('li', {}, `${words.connection_of} ${one.number}`)
        item.dataset.conn = one.conn
        return item
      })
      if (waits.length > most_waiting) items.push(element('li', {}, words.others(waits.length - most_waiting)))
      return items
    })
    set_text(kernel.querySelector('.queue-note'), waits.length > 0 ? words.queue_waits : state.numbered > 0 ? words.queue_empty : words.queue_unused)
    const open = [...state.connections.values()].filter(one => one.place !== 'closed' && one.place !== 'queue')
    const slot_of = one => state.workers.find(worker => one.holders.has(worker.pid))?.slot ?? null
    refill(kernel.querySelector('.open'), words.title + open.map(one => `${one.number} ${slot_of(one)}`).join(), () => {
      const chips = open.slice(0, most_open).map(one => {
        const chip = element('li', { class: 'chip' }, String(one.number))
        if (slot_of(one) !== null) chip.style.borderColor = shade_of(slot_of(one))
        return chip
      })
      if (open.length > most_open) chips.push(element('li', { class: 'chip' }, words.others(open.length - most_open)))
      return chips
    })
  }

  draw_main(state, words, since) {
    const box = this.main.querySelector('.process')
    box.hidden = !state.main
    if (!state.main) return
    box.classList.toggle('gone', state.main.gone !== '')
    set_text(box.querySelector('.pid'), `${state.main.pid}${state.main.gone ? ` · ${words.gone}` : ''}`)
    this.draw_fds(box.querySelector('.fds'), state, state.main, words, since, most_fds)
    const { accepted, handed } = state.main
    set_text(box.querySelector('.sums'), state.numbered === 0 ? '' : sums(`${words.accepted} ${accepted}`, handed > 0 && `${words.handed} ${handed}`))
  }

  // The numbers that a process has told of. Its channels and its standard streams have numbers, too, which nobody tells.
  draw_fds(list, state, process, words, since, most) {
    const rows = [...process.fds].sort(([a], [b]) => a - b)
    const drawn = rows.length > most ? [rows[0], ...rows.slice(1 - most)] : rows
    const is_new = (fd, { conn }) => {
      const one = state.connections.get(conn)
      return (one?.accepted_by === process.pid && one.accepted >= since) || state.crossings.some(crossing => (crossing.to_pid === process.pid && crossing.to_fd === fd && crossing.received >= since) || (crossing.from_pid === process.pid && crossing.from_fd === fd && crossing.received === null && crossing.conn === conn))
    }
    const facts = drawn.map(([fd, one]) => ({ fd, text: one.what === 'server' ? (most === most_fds_of_many ? words.server : `${words.listens} :${state.port ?? '?'}`) : `${words.connection_of} ${state.connections.get(one.conn)?.number ?? ''}`, fresh: is_new(fd, one) }))
    refill(list, words.title + JSON.stringify(facts) + rows.length, () => {
      const items = facts.map(({ fd, text, fresh }) => {
        const item = element('li', { class: fresh ? 'fresh' : '' }, element('b', {}, String(fd)), text)
        item.dataset.fd = fd
        return item
      })
      if (rows.length > drawn.length) items.push(element('li', { class: 'more' }, words.others(rows.length - drawn.length)))
      if (rows.length === 0) items.push(element('li', { class: 'more' }, words.nothing_open))
      return items
    })
  }

  make_box(slot) {
    const box = element('div', { class: 'process' })
    const who = element('p', { class: 'who' }, element('b'), element('span', { class: 'pid' }), element('span', { class: 'state' }))
    const signals = element('span', { class: 'signals' })
    for (const [action, name] of [['kill', 'kill'], ['stop', 'freeze'], ['continue', 'thaw']]) {
      const button = element('button', { type: 'button', class: action })
      button.dataset.name = name
      button.addEventListener('click', () => this.signal(action, slot))
      signals.append(button)
    }
    const bar = svg('svg', { viewBox: '0 0 100 13', preserveAspectRatio: 'none', 'aria-hidden': true }, svg('rect', { class: 'track', width: 100, height: 7, y: 3 }), svg('rect', { class: 'fill', height: 7, y: 3, fill: shade_of(slot) }), svg('line', { class: 'fair', y1: 0, y2: 13, 'vector-effect': 'non-scaling-stroke' }))
    who.append(signals)
    box.append(who, element('ol', { class: 'fds' }), element('p', { class: 'share' }, bar, element('span')), element('p', { class: 'sums' }, element('span'), element('span', { class: 'vain' })))
    box.style.borderColor = shade_of(slot)
    return box
  }

  draw_workers(state, words, { since, frozen, can_signal }) {
    const list = this.workers.querySelector('.boxes')
    const drawn = state.workers.length > most_boxes ? state.workers.slice(-most_boxes) : state.workers
    refill(list, drawn.map(one => one.slot).join(), () => {
      this.boxes = drawn.map(one => this.make_box(one.slot))
      return this.boxes
    })
    list.classList.toggle('many', drawn.length > few_boxes)
    set_text(this.workers.querySelector('.note'), [state.workers.length > drawn.length && words.others(state.workers.length - drawn.length), drawn.length > 0 && words.legend].filter(Boolean).join('   '))
    const all = state.workers.reduce((sum, one) => sum + one.connections, 0)
    drawn.forEach((worker, i) => {
      const box = this.boxes[i]
      box.classList.toggle('gone', worker.gone !== '')
      set_text(box.querySelector('b'), `${words.worker} ${worker.slot}`)
      set_text(box.querySelector('.pid'), String(worker.pid))
      box.querySelector('.state').classList.toggle('in-order', worker.gone === 'exit 0')
      set_text(box.querySelector('.state'), worker.gone === untold ? words.gone : worker.gone ? `${words.gone}: ${worker.gone}` : frozen.has(worker.slot) ? words.frozen : worker.silent ? words.silent : '')
      const vain = worker.vain_times.filter(time => time >= since).slice(-most_vain_marks)
      const marks = box.querySelector('.vain')
      refill(marks, vain.join(), () => vain.map(() => element('i')))
      marks.title = vain.length > 0 ? words.vain : ''
      this.draw_fds(box.querySelector('.fds'), state, worker, words, since, drawn.length > few_boxes ? most_fds_of_many : most_fds)
      const got = state.main?.accepted > 0 ? `${words.received} ${worker.connections}` : `${words.accepted} ${worker.accepted}`
      set_text(box.querySelector('.sums span'), state.numbered === 0 ? '' : sums(got, !worker.silent && `${words.answered} ${worker.answers}`))
      const share = all === 0 ? 0 : worker.connections / all * 100
      const fair = 100 / new Set(state.workers.map(one => one.slot)).size
      box.querySelector('.fill').setAttribute('width', share.toFixed(2))
      for (const end of ['x1', 'x2']) box.querySelector('.fair').setAttribute(end, fair.toFixed(2))
      set_text(box.querySelector('.share span'), String(worker.connections))
      const signals = box.querySelector('.signals')
      signals.hidden = !can_signal || worker.gone !== ''
      for (const button of signals.children) {
        set_text(button, words[button.dataset.name])
        button.setAttribute('aria-label', `${words[button.dataset.name]}, ${words.worker} ${worker.slot}`)
        button.hidden = button.className === (frozen.has(worker.slot) ? 'stop' : 'continue')
      }
    })
  }

  // ---- arrows

  draw_arrows(state, words, since) {
    const origin = this.root.getBoundingClientRect()
    const place = target => {
      if (!target) return null
      const box = target.getBoundingClientRect()
      return { left: box.left - origin.left, right: box.right - origin.left, top: box.top - origin.top, bottom: box.bottom - origin.top, middle: (box.top + box.bottom) / 2 - origin.top, centre: (box.left + box.right) / 2 - origin.left }
    }
    const by_conn = (list, conn) => [...list.children].find(one => one.dataset.conn === conn)
    const client = conn => place(by_conn(this.clients.querySelector('ol'), conn)?.lastChild)
    const queue = this.kernel.querySelector('.queue')
    const box_of = pid => state.main?.pid === pid ? this.main.querySelector('.process') : this.boxes[(state.workers.length > most_boxes ? state.workers.slice(-most_boxes) : state.workers).findIndex(one => one.pid === pid)]
    const row_of = (pid, fd) => {
      const box = box_of(pid)
      return place(box && ([...box.querySelectorAll('.fds li')].find(one => one.dataset.fd === String(fd)) ?? box))
    }
    const parts = []
    const labels = [] // where one stands no other may
    let nth = 0
    const line = (from, to, look, label) => { if (from && to) parts.push(...arrow(from, to, { ...look, nth: nth++, width: origin.width, labels }, label, place(this.main.querySelector('.process')))) }

    for (const one of waiting(state).slice(0, most_waiting)) line(client(one.conn), place(by_conn(queue, one.conn)), { class: 'waits', colour: 'var(--soft)' })
    const accepted = [...state.connections.values()].filter(one => one.accepted !== null && one.accepted >= since)
    for (const pid of new Set(accepted.map(one => one.accepted_by))) { // one arrow for all that it has accepted
      const slot = state.workers.find(worker => worker.pid === pid)?.slot
      const around = slot !== undefined
      const its = accepted.filter(one => one.accepted_by === pid)
      line(place(queue), row_of(pid, its.at(-1).holders.get(pid)), { colour: around ? shade_of(slot) : 'var(--main)', around }, its.length === 1 ? `${words.connection_of} ${its[0].number}` : `accept ×${its.length < 10 ? its.length : '9+'}`)
    }
    for (const one of state.crossings.filter(one => one.received === null || one.received >= since).slice(-6))
      line(row_of(one.from_pid, one.from_fd), row_of(one.to_pid, one.to_fd), { class: one.received === null ? 'waits' : '', colour: shade_of(one.slot) }, `${one.kind === 'server' ? `${words.server} ` : ''}${one.from_fd} → ${one.to_fd ?? '…'}`)
    this.arrows.replaceChildren(...parts)
    this.moving = parts.length > 0 // will look otherwise a moment later, without an event
  }
}

// From the side of one thing to the side of another that lies right of it; where the page is narrow, below it. `around`: not through the
// main, which has no part in it.
function arrow(from, to, { class: name = '', colour, around, nth, width, labels }, label, main) {
  const below = to.left < from.right
  let x1 = from.right, y1 = from.middle, x2 = to.left - 7, y2 = to.middle
  let head = `M${x2 - 1} ${y2 - 5} l8 5 l-8 5z`
  let path, x, y
  if (below && around) { // along the edge
    const edge = width - 7
    x2 = to.right + 5
    path = `M${x1} ${y1} C${edge} ${y1} ${edge} ${y1} ${edge} ${y1 + 24} L${edge} ${y2 - 16} C${edge} ${y2} ${edge} ${y2} ${x2} ${y2}`
    head = `M${x2 + 2} ${y2 - 5} l-8 5 l8 5z`
    ;[x, y] = [edge - 45, main ? main.top - 34 + nth * 24 : (y1 + y2) / 2]
  } else if (below) {
    ;[x1, y1, x2, y2] = [from.centre, from.bottom, to.centre, to.top - 7]
    path = `M${x1} ${y1} C${x1} ${y1 + 30} ${x2} ${y2 - 30} ${x2} ${y2}`
    head = `M${x2 - 5} ${y2} l5 8 l5 -8z`
    ;[x, y] = [(x1 + x2) / 2 + (nth % 3 - 1) * 90, (y1 + y2) / 2]
  } else if (around && main && main.left > from.right && main.right < to.left && Math.min(y1, y2) < main.bottom + 8) {
    const under = Math.max(y1, main.bottom + 24)
    path = `M${x1} ${y1} C${x1 + 40} ${y1} ${x1 + 20} ${under} ${main.left} ${under} L${main.right} ${under} C${x2 - 20} ${under} ${x2 - 45} ${y2} ${x2} ${y2}`
    ;[x, y] = [(main.left + main.right) / 2, under]
  } else {
    const bend = Math.min(90, (x2 - x1) / 2)
    path = `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
    ;[x, y] = [(x1 + x2) / 2, (y1 + y2) / 2]
  }
  const parts = [svg('path', { class: name, d: path, stroke: colour }), svg('path', { class: 'head', d: head, fill: colour })]
  if (label) {
    const width = label.length * 7.6 + 12
    for (const other of labels) if (Math.abs(other.x - x) < (other.width + width) / 2 && Math.abs(other.y - y) < 21) y = other.y + 21
    labels.push({ x, y, width })
    parts.push(svg('g', { class: 'label' }, svg('rect', { x: x - width / 2, y: y - 10, width, height: 20, rx: 6, stroke: colour }), svg('text', { x, y: y + 4 }, label)))
  }
  return parts
}
