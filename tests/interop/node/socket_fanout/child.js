// Example 1, the child: answers on connections that its parent has accepted.
'use strict'

process.on('message', (msg, socket) => {
  if (socket) {
    socket.on('error', () => {}) // the client has gone
    setTimeout(() => {
      socket.end(`${msg} 子进程：${process.pid}`)
    }, Number(process.env.DELAY ?? 100))
  }
})
process.on('disconnect', () => setTimeout(() => process.exit(), 2000).unref())
