// A worker that asks for one server after the other, and says what becomes of each.
//
//     node several.js '[{"port":0},{"path":"/tmp/x"}]'
'use strict'

const net = require('node:net')
const dgram = require('node:dgram')

const say = text => console.log(`${process.env.NODE_UNIQUE_ID ?? require('node:cluster').worker.id}: ${text}`)

async function main() {
  for (const wanted of JSON.parse(process.argv[2])) {
    await new Promise(resolve => {
      if (wanted.udp) {
        const socket = dgram.createSocket('udp4')
        socket.on('error', error => { say(`udp ${error.code}`); resolve() })
        socket.bind(0, () => { say('udp bound'); resolve() })
        return
      }
      const server = net.createServer(connection => connection.end(`${JSON.stringify(wanted)} ${process.pid}`))
      server.on('error', error => { say(`${JSON.stringify(wanted)} ${error.code}`); resolve() })
      server.listen(wanted, () => {
        const address = server.address()
        say(`${JSON.stringify(wanted)} on ${typeof address === 'string' ? address : `${address.address}:${address.port}`}`)
        resolve()
      })
    })
  }
  say('done')
}
main()
