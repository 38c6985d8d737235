// build: invalid_handle
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ run }) => {
  const seen = new Set()
  for (let i = 0; i < 2; i++) { // each time other sockets
    const demo = await run('build/demos/invalid_handle')
    same(demo.exit, 0, 'the exit code')
    const sent = demo.lines.filter(line => line.includes(': sent;'))
    same(sent.length, 2, 'how many handles were sent')
    for (const line of sent) {
      const inode = line.match(/its descriptor \d+.*socket:\[(\d+)\]/)?.[1]
      if (inode === undefined) throw `no socket:[...] after the descriptor in: ${line}`
      if (seen.has(inode)) throw `socket:[${inode}] is said twice; each of them is another socket`
      seen.add(inode)
    }
  }
})
