// How many connections a second one Node process can hand to another: bench_handles in JavaScript.
//
//     node handles_node.js SECONDS
'use strict'

const net = require('net')
const { fork } = require('child_process')

if (process.argv[2] === 'child') {
  process.on('message', (message, socket) => socket.destroy())
  process.send('ready')
} else {
  const server = net.createServer({ pauseOnConnect: true }, socket => {
    const child = fork(__filename, ['child'])
    child.once('message', () => {
      const began = performance.now()
      const seconds = () => (performance.now() - began) / 1000
      let handles = 0
      const send = () => {
        if (seconds() < process.argv[2]) return child.send('socket', socket, { keepOpen: true }, () => { handles++; send() })
        console.log(JSON.stringify({ handles, seconds: seconds() }))
        child.disconnect()
        child.once('exit', () => process.exit())
      }
      send()
    })
  }).listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1'))
}
