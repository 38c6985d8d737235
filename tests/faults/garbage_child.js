// A worker that serves as the example's own child.js does, and that on SIGUSR2 writes to its channel what no
// parent can use: each time something else.
//
//     node garbage_child.js ../interop/node/socket_fanout/child.js     (or that path in SERVES_AS)
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const garbage = [
  'not json\n',
  '\n',
  '{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"no descriptor comes with this"}\n}{\n',
  Buffer.from([0xff, 0xfe, 0x0a]),
  '['.repeat(2000) + '\n',
  '{"half": "a line'
]
let next = process.pid % garbage.length

// Node has taken NODE_CHANNEL_FD out of the environment by now; our mains use this number, as Node does.
const channel = 3

process.on('SIGUSR2', () => fs.writeSync(channel, garbage[next++ % garbage.length]))

require(path.resolve(process.argv[2] ?? process.env.SERVES_AS))
