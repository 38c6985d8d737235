// build: socket_fanout
const { exercise, same } = require('../../../tests/notes/exercise.js')

// Three connections from each of 16 addresses, one after the other, so that in turn they would go to three workers; all of
// 127.0.0.0/8 is this machine.
const client = `node -e "
  const net = require('net')
  const ask = i => {
    const host = Math.floor(i / 3) + 1
    const socket = net.connect({ port: 8888, host: '127.0.0.1', localAddress: '127.0.0.' + host })
    socket.on('data', data => console.log(host + ' ' + data)).on('end', () => i < 47 && ask(i + 1))
  }
  ask(0)"`

exercise(async ({ start, run }) => {
  await start('build/demos/socket_fanout --quiet --delay 0')
  const { lines } = await run(client)
  same(lines.length, 48, 'how many answers')
  const workers = new Map()
  for (const line of lines) {
    const [, host, worker] = line.match(/^(\d+) .*：worker (\d)$/) ?? []
    if (workers.has(host)) same(worker, workers.get(host), `the worker of 127.0.0.${host}, the second time`)
    workers.set(host, worker)
  }
  if (new Set(workers.values()).size < 2) throw 'all addresses went to one worker'
})
