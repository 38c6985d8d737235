// What the parts of the bench have in common: medians, rounded figures, tables.
'use strict'

function quantile (values, q) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const below = Math.floor(at)
  return sorted[below] + (at - below) * (sorted[Math.ceil(at)] - sorted[below])
}

const median = values => quantile(values, 0.5)

const round = (value, digits) => Number(value.toFixed(digits))

function table (head, rows) {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(row => String(row[i]).length)))
  const line = row => '  ' + row.map((cell, i) =>
    i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i])).join('  ')
  console.log([head, ...rows].map(line).join('\n') + '\n')
}

module.exports = { quantile, median, round, table }
