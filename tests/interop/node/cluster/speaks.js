// A worker of a cluster that speaks the protocol by hand. Started without NODE_UNIQUE_ID, or Node's own cluster answers too.
//
//     node speaks.js refuse    refuses every connection; says in the end how often it was asked
//     node speaks.js silent    takes none and refuses none
'use strict'

const [, , what] = process.argv
const address = process.env.HOST || null
let seq = 0
let asked = 0
const say = message => process.send({ cmd: 'NODE_CLUSTER', ...message, seq: seq++ })

process.on('internalMessage', (message, handle) => {
  if (message.cmd !== 'NODE_CLUSTER') return
  if (message.key && message.ack !== undefined) {
    say({ act: 'listening', index: 0, data: null, address, port: message.sockname.port, addressType: 4, backlog: 511 })
  } else if (message.act === 'newconn') {
    ++asked
    if (what === 'refuse') say({ ack: message.seq, accepted: false })
    handle.close()
  } else if (message.act === 'disconnect') {
    console.log(`asked ${asked} times`)
    process.disconnect()
  }
})
process.on('disconnect', () => {}) // keeps us here

say({ act: 'online' })
say({ act: 'queryServer', index: 0, data: null, address, port: Number(process.env.PORT), addressType: 4, backlog: false })
