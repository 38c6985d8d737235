// Draws one sendmsg, byte by byte, as SVG: our helper on the left, Node on the right.
'use strict'

const column = 478, margin = 24, line_height = 17, byte_width = 20
const colours = { message: '#dbeafe', len: '#fef3c7', level: '#dcfce7', type: '#fce7f3', descriptor: '#fecaca', padding: '#e5e7eb', plain: '#f3f4f6' }

const escape = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
const bytes_of = hex => hex.match(/../g) ?? []
const visible = byte => { const code = parseInt(byte, 16); return code === 10 ? '\u23ce' : code >= 32 && code < 127 ? String.fromCharCode(code) : '\u00b7' }

class Column {
  constructor(x) {
    Object.assign(this, { x, y: 0, parts: [] })
  }

  text(words, { dx = 0, style = '' } = {}) {
    this.parts.push(`<text x="${this.x + dx}" y="${this.y}"${style && ` class="${style}"`}>${escape(words)}</text>`)
  }

  line(words, style, gap = 4) {
    this.y += line_height + gap
    this.text(words, { style })
  }

  // A row of bytes, boxed; what stands beside it says what they are.
  row(bytes, colour, beside, style = 'note', width = bytes.length) {
    this.y += line_height + 3
    this.parts.push(`<rect x="${this.x}" y="${this.y - 13}" width="${bytes.length * byte_width}" height="${line_height}" rx="3" fill="${colour}"/>`)
    bytes.forEach((byte, i) => this.parts.push(`<text x="${this.x + i * byte_width + 3}" y="${this.y}" class="byte">${byte}</text>`))
    this.text(beside, { dx: width * byte_width + 10, style })
  }

  dump(bytes, colour) {
    for (let i = 0; i < bytes.length; i += 16) {
      const row = bytes.slice(i, i + 16)
      this.row(row, colour, row.map(visible).join(''), 'byte', 16)
    }
  }
}

function control(column, hex, descriptor, whose, padding) {
  const bytes = bytes_of(hex)
  column.row(bytes.slice(0, 8), colours.len, `cmsg_len: ${Buffer.from(hex, 'hex').readUInt32LE(0)} = 16 of header + 4 of data`)
  column.row(bytes.slice(8, 12), colours.level, 'cmsg_level: SOL_SOCKET')
  column.row(bytes.slice(12, 16), colours.type, 'cmsg_type: SCM_RIGHTS, descriptors follow')
  column.row(bytes.slice(16, 20), colours.descriptor, `descriptor ${descriptor}: ${whose}`, 'strong')
  column.row(padding ?? bytes.slice(20), colours.padding, padding ? 'padding: the kernel leaves it alone' : 'padding, to a multiple of 8')
}

function draw_column(x, title, command, { sent, received, acknowledged }) {
  const part = new Column(x)
  part.y = 66
  part.text(title, { style: 'title' })
  part.line(command, 'byte')

  part.line(`sendmsg(${sent.socket}, \u2026): the message, ${bytes_of(sent.data).length} bytes`, 'head', 14)
  part.dump(bytes_of(sent.data), colours.message)
  part.line(`and the control data, ${bytes_of(sent.control).length} bytes`, 'head')
  control(part, sent.control, sent.descriptor, 'the number in the main process')

  part.line(`recvmsg(${received.socket}, \u2026): ${received.data === sent.data ? 'the same message' : 'another message'}, and`, 'head', 20)
  control(part, received.control, received.descriptor, 'the number in the child', bytes_of(received.control).slice(20).map(() => '\u00b7\u00b7'))

  part.line(`the child writes back the acknowledgement, ${bytes_of(acknowledged.data).length} bytes`, 'head', 20)
  part.dump(bytes_of(acknowledged.data), colours.plain)
  return part
}

function draw({ ours, node }) {
  const left = draw_column(margin, 'Our helper', 'build/demos/server_handoff --workers 1', ours)
  const right = draw_column(margin + column + 16, 'Node', "child.send('http server0', server)", node)
  const same = ours.sent.data === node.sent.data && ours.sent.control.slice(0, 32) === node.sent.control.slice(0, 32)
  const width = 2 * column + 16 + 2 * margin, height = Math.max(left.y, right.y) + 82
  const summary = [same ? 'The two send the same bytes, but for the number.' : 'The bytes of the two differ.',
    'The kernel looks it up in the table of the sender, and writes the number from the table of the receiver in its place.']
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title about">
<title id="title">One sendmsg, every byte</title>
<desc id="about">The message and the control data that our helper and Node send with a listening server, and what the child receives. ${escape(summary.join(' '))}</desc>
<style>
text { font: 13px sans-serif; fill: #111827 }
.byte { font: 12px monospace }
.title { font: bold 16px sans-serif }
.head, .strong { font: bold 13px sans-serif }
.note { fill: #374151 }
</style>
<rect width="${width}" height="${height}" rx="8" fill="#ffffff" stroke="#d1d5db"/>
<text x="${margin}" y="36" class="title">One sendmsg, every byte</text>
<line x1="${margin + column}" y1="54" x2="${margin + column}" y2="${height - 70}" stroke="#d1d5db"/>
${[...left.parts, ...right.parts].join('\n')}
${summary.map((line, i) => `<text x="${margin}" y="${height - 44 + i * 20}" class="strong">${escape(line)}</text>`).join('\n')}
</svg>
`
}

module.exports = { draw }
