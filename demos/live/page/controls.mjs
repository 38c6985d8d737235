// The controls: what is chosen, asked of the page's server, and beside it the command that does the same by hand.

const default_delay = { socket_fanout: 100, server_handoff: 100, http_cluster: 0 }

/// The command of a load, as one would type it.
export function load_command({ demo, port, count, concurrency, keep_alive }) {
  const http = demo === 'http_cluster'
  const words = [`build/clients/${http ? 'http_client' : 'net_client'}`]
  if (port && port !== 8888) words.push(`--port ${port}`)
  words.push(`--count ${count}`, `--concurrency ${concurrency}`)
  if (http && keep_alive) words.push('--keep-alive')
  return words.join(' ')
}

/// The command of a demo.
export function demo_command({ demo, mode, accept, workers, delay, respawn }) {
  const words = [`build/demos/${demo}`]
  if (demo === 'socket_fanout' && mode !== 'rotate') words.push(`--mode ${mode}`)
  if (demo !== 'socket_fanout' && accept !== 'step_back') words.push(`--accept ${accept}`)
  if (workers !== 4) words.push(`--workers ${workers}`)
  if (delay !== default_delay[demo]) words.push(`--delay ${delay}`)
  if (respawn) words.push('--respawn')
  return words.join(' ')
}

export const signal_command = (action, pid) => `kill -${{ kill: 9, stop: 'STOP', continue: 'CONT' }[action]} ${pid}`

/// Ends a demo in order: a signal to its main, or what its terminal sends it as long as nobody knows who that is.
export const end_command = main => main && !main.gone ? `kill -INT ${main.pid}` : 'Ctrl-C'

export class controls {
  /// `words()`: the language of now. `player`: whose workers are meant.
  constructor(form, player, words) {
    Object.assign(this, { form, player, words, frozen: new Set(), running: null })
    this.by_hand = form.querySelector('#by_hand')
    this.complaint = form.querySelector('#complaint')
    form.addEventListener('change', ({ target }) => {
      if (target.name === 'demo') form.elements.delay.value = default_delay[target.value]
      this.show_choice()
    })
    form.addEventListener('submit', event => {
      event.preventDefault()
      this.by_hand.textContent = demo_command(this.chosen())
      this.ask({ action: 'start', ...this.chosen() })
    })
    form.querySelector('#end').addEventListener('click', () => {
      this.by_hand.textContent = end_command(this.player.latest().main)
      this.ask({ action: 'end' })
    })
    for (const button of form.querySelectorAll('[data-count]')) button.addEventListener('click', () => this.load(Number(button.dataset.count)))
    this.show_choice()
  }

  chosen() {
    const { demo, mode, accept, workers, delay, respawn } = this.form.elements
    return { demo: demo.value, mode: mode.value, accept: accept.value, workers: Number(workers.value), delay: Number(delay.value), respawn: respawn.checked }
  }

  show_choice() {
    const choice = this.chosen()
    this.form.querySelector('#modes').hidden = choice.demo !== 'socket_fanout'
    this.form.querySelector('#accepts').hidden = choice.demo === 'socket_fanout'
    this.form.querySelector('#keep').hidden = choice.demo !== 'http_cluster'
    this.by_hand.textContent = demo_command(choice)
  }

  load(count) {
    const { concurrency, keep_alive } = this.form.elements
    if (!concurrency.reportValidity()) return
    const demo = this.running?.demo ?? this.chosen().demo
    const load = { count, concurrency: Number(concurrency.value), keep_alive: demo === 'http_cluster' && keep_alive.checked }
    this.by_hand.textContent = load_command({ ...load, demo, port: this.player.state.port })
    this.ask({ action: 'load', ...load })
  }

  signal(action, slot) {
    const worker = this.player.state.workers.find(one => one.slot === slot)
    this.by_hand.textContent = signal_command(action, worker.pid)
    this.ask({ action, slot })
  }

  /// What runs, as the page's server says: the fields follow it. Whom it has stopped, each page shows, whoever has asked for it.
  show(running) {
    this.running = running
    this.frozen = new Set(running?.running && Array.isArray(running.stopped) ? running.stopped : [])
    const own = running?.source === 'own'
    this.form.hidden = !own
    if (!own) return
    for (const button of this.form.querySelectorAll('[data-count], #end')) button.disabled = !running.running
    if (!running.running) return
    const { demo, mode, accept, workers, delay, respawn } = this.form.elements
    const followed = JSON.stringify({ ...running, stopped: [] }) // that changes no choice
    if (this.followed === followed) return
    this.followed = followed
    for (const [field, value] of [[demo, running.demo], [mode, running.mode], [accept, running.accept], [workers, running.workers], [delay, running.delay]])
      if (value !== undefined && value !== null && value !== '') field.value = value
    respawn.checked = Boolean(running.respawn)
    this.show_choice()
    if (typeof running.command === 'string' && running.command) this.by_hand.textContent = running.command
  }

  // Who asks for something wants to see it happen.
  async ask(order) {
    this.player.live()
    try {
      const answer = await fetch('/control', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(order) })
      this.complaint.textContent = answer.ok ? '' : `${this.words().refused}: ${(await answer.text()).slice(0, 300) || answer.status}`
      return answer.ok
    } catch {
      this.complaint.textContent = this.words().unreachable
      return false
    }
  }
}
