// build: invalid_handle
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ run }) => {
  const demo = await run('build/demos/invalid_handle')
  same(demo.exit, 0, 'the exit code')
  same(demo.lines.length, 8, 'how many lines')
  const begins = (line, text) => same(line.slice(0, text.length), text, 'the line')
  begins(demo.lines[6], 'the connection again: ERR_INVALID_HANDLE_TYPE: This handle type cannot be sent')
  begins(demo.lines[7], 'the server again: sent; the child saw a net.Server')
})
