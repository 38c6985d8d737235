// HAProxy, as haproxy.cfg says, in the namespace of this process; and what it says of the hosts.
'use strict'
const { EventEmitter, once } = require('events')
const net = require('net')
const path = require('path')
const { end_of, has_ended, lines_of, start } = require('./hosts.js')

const port = 8888

const is_open = () => new Promise(resolve => {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('connect', () => { socket.destroy(); resolve(true) })
  socket.on('error', () => resolve(false))
})

// Emits `says` with each line of its log, `DOWN` and `UP` with the name of a host; and `ended` when haproxy has, unless stop() was called.
class Proxy extends EventEmitter {
  said = []

  async serve(file = path.join(__dirname, 'haproxy.cfg')) {
    this.process = start('haproxy', '-db', '-f', file)
    const complaints = []
    lines_of(this.process.stderr).on('line', line => complaints.push(line))
    lines_of(this.process.stdout).on('line', line => {
      this.said.push(line)
      this.emit('says', line)
      const told = line.match(/^Server hosts\/(\w+) is (UP|DOWN)/)
      if (told) this.emit(told[2], told[1])
    })
    while (!await is_open()) {
      if (has_ended(this.process)) throw new Error(`haproxy does not start:\n${complaints.join('\n')}`)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    this.process.on('exit', () => this.emit('ended'))
  }

  // How many milliseconds after `began` (performance.now()) it says so of the host; null: not within `limit` from now. To be called before it happens.
  async tells(state, host, began, limit) {
    const patience = AbortSignal.timeout(limit)
    try {
      for (;;) if ((await once(this, state, { signal: patience }))[0] === host) return performance.now() - began
    } catch (error) {
      if (error.name === 'AbortError') return null
      throw error
    }
  }

  async stop() {
    if (!this.process || has_ended(this.process)) return
    this.removeAllListeners('ended')
    this.process.kill('SIGKILL')
    await end_of(this.process)
  }
}

module.exports = { Proxy, port }
