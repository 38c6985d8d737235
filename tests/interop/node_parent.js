// Real Node parents of build/tests/manual_child: node node_parent.js CHILD SCENARIO. Prints "ok", or fails.
'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { execFileSync, fork, spawn } = require('node:child_process')
const { once } = require('node:events')

const [, , program, scenario] = process.argv

const start = (options = {}) => fork('ignored.js', ['ignored'], { execPath: program, execArgv: [], ...options })

async function listen(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

/** All the server says. */
async function ask(port, text = '') {
  const client = net.createConnection(port, '127.0.0.1')
  if (text) client.write(text)
  let said = ''
  for await (const data of client) said += data
  return said
}

async function ended(child) {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

/** The child ends because the channel does. */
async function hangUp(child) {
  child.disconnect()
  assert.strictEqual(await ended(child), 0)
}

/** Sends every connection to the child; returns the port. */
async function giveAway(child, { pause = true, keepOpen = false, then = () => {} } = {}) {
  const server = net.createServer({ pauseOnConnect: pause })
  server.on('connection', socket => {
    socket.on('error', () => {})
    child.send('socket', socket, { keepOpen })
    then(socket, server)
  })
  return { server, port: await listen(server) }
}

const scenarios = {
  async server() {
    const child = start()
    const server = net.createServer(() => assert.fail('the parent accepts nothing'))
    const port = await listen(server)
    child.send('server', server)
    server.close()
    for (let i = 0; i < 5; i++) assert.strictEqual(await ask(port), `served by ${child.pid}\n`)
    await hangUp(child)
    await assert.rejects(ask(port))
  },

  /** Node takes an http.Server for what it is derived from, and the child gets a plain server. */
  async 'an http.Server'() {
    const child = start()
    const server = http.createServer(() => assert.fail('no HTTP crosses'))
    const port = await listen(server)
    child.send('server', server)
    server.close()
    assert.strictEqual(await ask(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'), `served by ${child.pid}\n`)
    await hangUp(child)
  },

  async 'two children and the parent on one server'() {
    const children = [start(), start()]
    const server = net.createServer(socket => socket.end(`served by ${process.pid}\n`))
    const port = await listen(server)
    for (const child of children) child.send('server', server)
    const all = new Set([process.pid, ...children.map(child => child.pid)].map(pid => `served by ${pid}\n`))
    const seen = async () => assert(all.has(await ask(port)))
    for (let i = 0; i < 30; i++) await seen()

    children[0].kill('SIGKILL') // its copy goes, the server stays
    await ended(children[0])
    all.delete(`served by ${children[0].pid}\n`)
    for (let i = 0; i < 10; i++) await seen()

    server.close() // and with the parent's copy gone, too
    for (let i = 0; i < 10; i++) assert.strictEqual(await ask(port), `served by ${children[1].pid}\n`)
    await hangUp(children[1])
  },

  async socket() {
    const child = start()
    const { server, port } = await giveAway(child)
    for (let i = 0; i < 20; i++) assert.strictEqual(await ask(port, 'early'), `handled by ${child.pid}\n`)
    const burst = await Promise.all(Array.from({ length: 50 }, () => ask(port)))
    assert.deepStrictEqual(new Set(burst), new Set([`handled by ${child.pid}\n`]))
    server.close()
    await hangUp(child)
  },

  /** Node then reads, and throws away, what comes before the acknowledgement; the connection still crosses. */
  async 'a socket that is not paused'() {
    const child = start()
    const { server, port } = await giveAway(child, { pause: false })
    for (let i = 0; i < 20; i++) assert.strictEqual(await ask(port), `handled by ${child.pid}\n`)
    server.close()
    await hangUp(child)
  },

  async 'a socket with keepOpen'() {
    const child = start()
    // The child ends the connection, which is a shutdown, for all who hold a copy.
    const { server, port } = await giveAway(child, { keepOpen: true, then: socket => socket.resume() })
    for (let i = 0; i < 5; i++) assert.strictEqual(await ask(port), `handled by ${child.pid}\n`)
    server.close()
    await hangUp(child)
  },

  /** Of whatever family: on ::1, where there is IPv6, and on a path. */
  async 'a server that is not IPv4'() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'node_parent-'))
    const hasIPv6 = Object.values(os.networkInterfaces()).flat().some(({ family }) => family === 'IPv6')
    for (const address of [...hasIPv6 ? [{ port: 0, host: '::1' }] : [], { path: path.join(folder, 'socket') }]) {
      const child = start()
      const server = net.createServer(() => assert.fail('the parent accepts nothing'))
      server.listen(address)
      await once(server, 'listening')
      const at = address.path ? { path: address.path + '.link' } : { port: server.address().port, host: '::1' }
      if (address.path) fs.linkSync(address.path, at.path) // close() removes the path, for the child too
      child.send('server', server)
      server.close()
      let said = ''
      for await (const data of net.createConnection(at)) said += data
      assert.strictEqual(said, `served by ${child.pid}\n`)
      await hangUp(child)
    }
    fs.rmSync(folder, { recursive: true })
  },

  /** Refused, repeated three times and given up: then the client reads the end, and the next one is served. */
  async 'a child without room for a descriptor'() {
    const child = start()
    child.send({ echo: 1 })
    await once(child, 'message')
    const { server, port } = await giveAway(child)
    const room = limit => execFileSync('prlimit', ['--pid', child.pid, `--nofile=${limit}:`])
    const warned = once(process, 'warning')
    room(3)
    assert.strictEqual(await ask(port), '')
    assert.strictEqual((await warned)[0].name, 'SentHandleNotReceivedWarning')
    room(64)
    for (let i = 0; i < 3; i++) assert.strictEqual(await ask(port), `handled by ${child.pid}\n`)
    server.close()
    await hangUp(child)
  },

  /** The child counts the sockets it has of this server, and says when the last is closed. */
  async 'server.close() completes'() {
    const child = start()
    const { server, port } = await giveAway(child)
    const answers = Array.from({ length: 3 }, () => ask(port))
    await Promise.all(answers)
    const connections = await new Promise((resolve, reject) =>
      server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
    )
    assert(connections >= 0 && connections <= 3)
    await new Promise(resolve => server.close(resolve)) // hangs if the child does not answer
    await hangUp(child)
  },

  async echo() {
    const child = start()
    const values = [1, -0.5, 1e21, 'a\nb é 😀 \u2028', '', true, false, null, [1, [2]], {}, { cmd: 'NODE_' }, 'x'.repeat(1e6)]
    const got = []
    const all = new Promise(resolve => child.on('message', ({ echo }) => got.push(echo) === values.length && resolve()))
    for (const echo of values) child.send({ echo })
    await all
    for (const [i, echo] of values.entries()) assert.deepStrictEqual(got[i], echo, `value ${i}`)
    await hangUp(child)
  },

  async 'five hundred messages in order'() {
    const child = start()
    const got = []
    const all = new Promise(resolve => child.on('message', ({ echo }) => got.push(echo) === 500 && resolve()))
    for (let echo = 0; echo < 500; echo++) child.send({ echo })
    await all
    assert.deepStrictEqual(got, Array.from({ length: 500 }, (_, i) => i))
    await hangUp(child)
  },

  async 'messages that are not for us'() {
    const child = start()
    for (const message of [1, 'socket', null, [], { cmd: 'NODE_foo' }, { cmd: 'node_foo' }]) child.send(message)
    const gone = net.createConnection(1, '127.0.0.1').on('error', () => {})
    gone.destroy()
    child.send('socket', gone) // Node sends the message without its handle
    child.send({ echo: 'still here' })
    assert.deepStrictEqual((await once(child, 'message'))[0], { echo: 'still here' })
    await hangUp(child)
  },

  async 'another channel number'() {
    for (const number of [5, 9]) {
      const stdio = Array(number).fill('ignore')
      stdio[1] = stdio[2] = 'inherit'
      const child = spawn(program, [], { stdio: [...stdio, 'ipc'] })
      child.send({ echo: number })
      assert.deepStrictEqual((await once(child, 'message'))[0], { echo: number })
      await hangUp(child)
    }
  },

  async 'the advanced serialization'() {
    const child = start({ serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    let said = ''
    child.stderr.on('data', data => (said += data))
    await once(child, 'close')
    assert.strictEqual(child.exitCode, 1)
    assert.match(said, /^manual_child: .*'advanced'.*\n$/)
  },

  async 'a parent that hangs up while a client is being answered'() {
    const child = start()
    const { server, port } = await giveAway(child)
    const answer = ask(port)
    await once(server, 'connection')
    child.disconnect() // waits for the acknowledgement, no longer
    assert.strictEqual(await answer, `handled by ${child.pid}\n`)
    server.close()
    assert.strictEqual(await ended(child), 0)
  }
}

if (!scenario) {
  console.log(Object.keys(scenarios).join('\n'))
} else {
  scenarios[scenario]().then(
    () => {
      console.log('ok')
      process.exit() // what the scenario left open is no matter
    },
    error => {
      console.error(error)
      process.exit(1)
    }
  )
}
