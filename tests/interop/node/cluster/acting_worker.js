// A worker of any cluster that does one thing: the last argument. tests/interop/acting_worker.cpp does the same in C++.
// What it tells its primary: "stop" (disconnect me), or what it has seen.
'use strict'

const cluster = require('node:cluster')
const net = require('node:net')
const { once } = require('node:events')

const port = Number(process.env.SERVER_PORT)
const here = { host: '127.0.0.1', port }
const tell = said => new Promise(resolve => process.send(said, resolve))

async function listen(options) {
  const server = net.createServer(connection => connection.end('served'))
  await once(server.listen(options), 'listening')
  return server
}

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
  async finds_it_taken() {
    const [error] = await once(net.createServer().listen(here), 'error')
    await tell(error.code)
    await tell('stop')
  },
  async has_two() {
    const [one, other] = [await listen({ ...here, port: 0 }), await listen({ ...here, port: 0 })]
    await tell({ differ: one.address().port !== other.address().port })
    await tell('stop')
  },
  async listens_again() {
    const first = await listen(here)
    await new Promise(resolve => first.close(resolve))
    await listen(here)
    await tell('stop')
  },
  async has_a_path() { await listen({ path: process.env.SERVER_PATH }); await tell('stop') },
  async has_ipv6_only() {
    await listen({ host: '::', port, ipv6Only: true })
    await listen(here)
    await tell('stop')
  }
}
acts[process.argv.at(-1)]()
