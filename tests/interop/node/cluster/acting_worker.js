// A worker of any cluster that does one thing: the last argument. tests/interop/acting_worker.cpp does the same in C++.
// What it tells its primary: "stop" (disconnect me), or what it has seen.
'use strict'

const cluster = require('node:cluster')
const net = require('node:net')
const fs = require('node:fs')
const path = require('node:path')
const { once } = require('node:events')

const port = Number(process.env.SERVER_PORT)
const here = { host: '127.0.0.1', port }
const tell = said => new Promise(resolve => process.send(said, resolve))

async function listen(options, serve = connection => connection.end('served')) {
  const server = net.createServer(serve)
  await once(server.listen(options), 'listening')
  return server
}
async function error_of(options) {
  const [error] = await once(net.createServer().listen(options), 'error')
  return error.code
}
async function read(connection) {
  let text = ''
  for await (const data of connection) text += data
  return text
}
const told_to_disconnect = () => new Promise(resolve =>
  process.on('internalMessage', ({ act }) => { if (act === 'disconnect') resolve() }))

const acts = {
  async stays() { await listen(here); await tell('stop') },
  async idles() { await tell('stop') },
  async leaves() { await listen(here); cluster.worker.disconnect() },
  async exits() { await listen(here); process.exit(3) },
  async dies() { await listen(here); process.kill(process.pid, 'SIGKILL') },
  async hangs_up() { await listen(here); process.disconnect() },
  async talks() {
    await tell({ question: '你好 €' })
    const [answer] = await once(process, 'message')
    await tell(answer)
    await tell('stop')
  },
  async serves() {
    await listen(here)
    const [text] = await once(net.connect(port, here.host), 'data')
    await tell(String(text))
    await tell('stop')
  },
  async knows_itself() {
    await tell({ id: cluster.worker.id, environment: 'NODE_UNIQUE_ID' in process.env })
    await tell('stop')
  },
  async exits_at_once() { process.exit(42) },
  async throws() {
    await listen(here)
    throw new Error('which nobody catches')
  },
  async kills_itself() { await listen(here); cluster.worker.kill() },
  async is_terminated() { await listen(here); await tell('terminate') },
  async leaves_with_a_code() {
    await listen(here)
    process.on('exit', () => { process.exitCode = 5 })
    cluster.worker.disconnect()
  },
  async leaves_as_it_is_told() {
    await listen(here)
    process.send('stop')
    cluster.worker.disconnect()
  },
  async lets_its_client_finish() {
    const told = told_to_disconnect()
    await listen(here, async connection => {
      await tell('stop')
      await told
      connection.end('served before it leaves')
    })
    await tell(await read(net.connect(port, here.host)))
  },
  async serves_on_a_path() {
    await listen({ path: process.env.SERVER_PATH })
    await tell(await read(net.connect(process.env.SERVER_PATH)))
    await tell('stop')
  },
  async has_a_relative_path() {
    process.chdir(path.dirname(process.env.SERVER_PATH))
    await listen({ path: path.basename(process.env.SERVER_PATH) })
    await tell('stop')
  },
  async has_a_path_for_all() {
    await listen({ path: process.env.SERVER_PATH, readableAll: true, writableAll: true })
    await tell({ for_all: (fs.statSync(process.env.SERVER_PATH).mode & 0o666) === 0o666 })
    await tell('stop')
  },
  async finds_no_such_address() {
    await tell(await error_of({ host: '192.0.2.1', port }))
    await tell('stop')
  },
  async finds_its_own_port_taken() {
    await listen(here)
    await tell(await error_of(here))
    await tell('stop')
  },
  async gives_its_sockets_away() {
    await listen(here, connection => process.send('a socket', connection))
    const clients = [net.connect(port, here.host), net.connect(port, here.host)]
    for (const text of await Promise.all(clients.map(read))) await tell(text)
    await tell('stop')
  },
  async has_any_port() { await listen({ ...here, port: 0 }); await tell('stop') },
  async finds_it_taken() { await tell(await error_of(here)); await tell('stop') },
  async has_two() {
    await listen({ ...here, port: 0 })
    await listen({ ...here, port: 0 })
    await tell('stop')
  },
  async listens_again() {
    const first = await listen(here)
    await new Promise(resolve => first.close(resolve))
    await listen(here)
    await tell('stop')
  },
  listens_again_beside_another: () => acts.listens_again(),
  async has_a_path() { await listen({ path: process.env.SERVER_PATH }); await tell('stop') },
  async has_ipv6_only() {
    await listen({ host: '::', port, ipv6Only: true })
    await listen(here)
    await tell('stop')
  }
}
acts[process.argv.at(-1)]()
