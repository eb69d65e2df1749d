// verify_note.cjs VKEY…: reads a signed note (C2SP signed-note, tlog-cosignature) and verifies with nothing but Node what
// each of the keys has signed; says "<name> good", "<name> bad" or "<name> none", a line each.
const crypto = require('crypto')

function parseKey (vkey) {
  const [, name, id, base64] = /^(.+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey)
  const bytes = Buffer.from(base64, 'base64')
  const hash = crypto.createHash('sha256').update(name + '\n').update(bytes).digest()
  if (hash.subarray(0, 4).toString('hex') !== id || bytes.length !== 33) throw new Error('no key: ' + vkey)
  const key = crypto.createPublicKey({
    format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: bytes.subarray(1).toString('base64url') }
  })
  return { name, id, kind: bytes[0], key }
}

function verify (text, key, signature) {
  if (key.kind === 1) return crypto.verify(null, Buffer.from(text), key.key, signature)
  if (key.kind !== 4 || signature.length !== 72) return false
  const seconds = signature.readBigUInt64BE(0)
  if (Math.abs(Number(seconds) - Date.now() / 1000) > 3600) return false
  return crypto.verify(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), key.key, signature.subarray(8))
}

let input = ''
process.stdin.on('data', (piece) => { input += piece })
process.stdin.on('end', () => {
  const gap = input.lastIndexOf('\n\n')
  const text = input.slice(0, gap + 1)
  const lines = input.slice(gap + 2).trimEnd().split('\n')
  for (const key of process.argv.slice(2).map(parseKey)) {
    const line = lines.map((one) => /^\u2014 (\S+) (\S+)$/.exec(one)).find((match) => {
      return match && match[1] === key.name && Buffer.from(match[2], 'base64').subarray(0, 4).toString('hex') === key.id
    })
    const said = !line ? 'none' : verify(text, key, Buffer.from(line[2], 'base64').subarray(4)) ? 'good' : 'bad'
    console.log(`${key.name} ${said}`)
  }
})
