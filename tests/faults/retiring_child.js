// A worker that answers on as many connections as its argument says, hangs up with the last of them, be there more to be
// read, and ends when it has answered.
'use strict'

let left = Number(process.argv[2])
process.on('message', (msg, socket) => {
  if (!socket) return
  socket.end(`${msg} 子进程：${process.pid}`)
  if (--left === 0) process.disconnect()
})
