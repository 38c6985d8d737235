// build: invalid_handle
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ run }) => {
  const demo = await run('build/demos/invalid_handle')
  same(demo.exit, 0, 'the exit code')
  const sent = demo.lines.filter(line => line.includes(': sent;'))
  same(sent.length, 2, 'how many handles were sent')
  const inodes = sent.map(line => line.match(/its descriptor \d+.*socket:\[(\d+)\]/)?.[1])
  if (inodes.includes(undefined)) throw `no socket:[...] after the descriptor in: ${sent[inodes.indexOf(undefined)]}`
  if (inodes[0] === inodes[1]) throw 'the connection and the server cannot be the same socket'
})
