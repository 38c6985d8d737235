// The clients: each sends one request after the other, on a connection that it keeps. Every third is a POST. The target has a number,
// /?id=7, so that whoever sees requests elsewhere can tell which they are.
'use strict'
const http = require('http')

class Load {
  all = [] // {id, method, began, ms, status, by: "a/7751", error}: without ms while it is under way

  // `ended` is called with each when it has its `ms`.
  constructor(port, clients, ended = () => {}) {
    Object.assign(this, { port, ended })
    this.running = Array.from({ length: clients }, () => this.client())
  }

  async client() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    while (!this.is_over) await this.ask(agent)
    agent.destroy()
  }

  // Completes with the answer, or with what was there instead. Never throws.
  ask(agent) {
    const id = this.all.length
    const asked = { id, method: id % 3 === 2 ? 'POST' : 'GET', began: performance.now() }
    this.all.push(asked)
    const body = asked.method === 'POST' ? `order ${id}\n` : ''
    asked.end = new Promise(resolve => {
      const done = what => {
        if (asked.ms !== undefined) return // a request that ends may complain of that, too
        Object.assign(asked, what, { ms: performance.now() - asked.began })
        this.ended(asked)
        resolve()
      }
      const request = http.request({ port: this.port, host: '127.0.0.1', agent, method: asked.method, path: `/?id=${id}`, timeout: 10000,
        headers: body ? { 'Content-Length': body.length } : {} }, response => {
        response.on('error', error => done({ error: error.code }))
        response.on('end', () => done({ status: response.statusCode, by: response.headers['served-by'] })).resume()
      })
      request.on('timeout', () => request.destroy(Object.assign(new Error(), { code: 'no answer within 10 s' })))
      request.on('error', error => done({ error: error.code }))
      request.end(body)
    })
    return asked.end
  }

  // Those that were under way at some time from `begin` to `end` (performance.now()), when the last of them has ended.
  async between(begin, end) {
    const these = this.all.filter(({ began, ms }) => began < end && (ms === undefined || began + ms >= begin))
    await Promise.all(these.map(asked => asked.end))
    return these
  }

  async stop() {
    this.is_over = true
    await Promise.all(this.running)
  }
}

const is_answered = ({ status, by }) => status === 200 && by !== undefined

// Of some requests: how many each worker answered, by host; those that failed; the longest time.
function summary(requests) {
  const by_host = {}
  for (const { by } of requests.filter(is_answered)) {
    const [host, pid] = by.split('/')
    by_host[host] ??= {}
    by_host[host][pid] = (by_host[host][pid] ?? 0) + 1
  }
  return { by_host, failed: requests.filter(asked => !is_answered(asked)), worst: Math.max(0, ...requests.map(({ ms }) => ms)) }
}

module.exports = { Load, is_answered, summary }
